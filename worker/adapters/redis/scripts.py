"""Runs the Lua scripts in `lua/`, one file each, by their digest."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from importlib import resources
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from worker.batching import chunks
from worker.contract.errors import LedgerFaultError, LedgerUnavailableError
from worker.contract.messages import CHUNK

Item = TypeVar("Item")
Place = TypeVar("Place", bound=Hashable)

_KINDS = frozenset({"CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY"})
"""First words of Redis' errors that say more than the type of redis-py's exception."""


@dataclass(frozen=True, slots=True)
class Script:
    """The text of a Lua file and the digest that Redis knows it by."""

    text: str
    digest: str

    @classmethod
    def read(cls, name: str) -> "Script":
        """Read `lua/<name>.lua`."""
        text = resources.files(__package__).joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
        return cls(text, sha1(text.encode()).hexdigest())  # noqa: S324 - EVALSHA's own digest


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a script; everything it touches lives in one cluster slot."""

    script: Script
    keys: Sequence[str] | Sequence[bytes]
    arguments: Sequence[str | bytes | int]


async def run(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Run scripts in one round trip and return their results in order.

    A script that the server doesn't know (it restarted, its script cache was flushed) is sent whole and run again: the
    first run did nothing. Raises LedgerUnavailableError when a result is missing; repeating is safe, as each script is.
    """
    if not calls:
        return []
    with redis_answers():
        results = await _run_by_digest(redis, calls)
        unknown = [index for index, result in enumerate(results) if isinstance(result, NoScriptError)]
        if unknown:
            for script in {calls[index].script for index in unknown}:
                await redis.script_load(script.text)
            again = await _run_by_digest(redis, [calls[index] for index in unknown])
            for index, result in zip(unknown, again, strict=True):
                results[index] = result
    for result in results:
        if isinstance(result, Exception):
            raise unavailable(result) from result
    return results


async def run_each(
    redis: Redis,
    items: Sequence[Item],
    places: Sequence[Place],
    call: Callable[[Place, Sequence[Item]], Call],
    size: int = CHUNK,
) -> list[Any]:
    """Run a script that answers one result an item, for at most `size` items of one place at a time.

    `places` says where each item is, in their order.
    Returns the results in the order of the items, in one round trip; raises as `run` does.
    """
    by_place: dict[Place, list[int]] = {}
    for index, place in enumerate(places):
        by_place.setdefault(place, []).append(index)
    parts = [(place, part) for place, indexes in by_place.items() for part in chunks(indexes, size)]
    answers = await run(redis, [call(place, [items[index] for index in part]) for place, part in parts])
    results: list[Any] = [None] * len(items)
    for (_, part), answer in zip(parts, answers, strict=True):
        for index, result in zip(part, answer, strict=True):
            results[index] = result
    return results


async def execute(pipeline: Any) -> list[Any]:  # noqa: ANN401 - redis-py's pipelines are untyped
    """Run a pipeline of plain commands and return their results; raises LedgerUnavailableError."""
    with redis_answers():
        return list(await pipeline.execute())


async def _run_by_digest(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    if len(calls) == 1:
        call = calls[0]
        try:
            return [await redis.evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)]
        except NoScriptError as error:
            return [error]
    pipeline = redis.pipeline(transaction=False)
    for call in calls:
        pipeline.evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)
    return await pipeline.execute(raise_on_error=False)


@contextmanager
def redis_answers() -> Iterator[None]:
    """Turn what Redis and the network raise into LedgerUnavailableError."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> LedgerUnavailableError:
    """Return the ledger's error for one of Redis; its text never holds a command's arguments."""
    kind = str(error).partition(" ")[0] if isinstance(error, RedisError) else ""
    reason = kind if kind in _KINDS else type(error).__name__
    if type(error) is ResponseError and kind not in _KINDS:
        return LedgerFaultError(f"a script failed in Redis ({kind}); a key holds what no tidings wrote")
    return LedgerUnavailableError(f"Redis did not answer ({reason}); check TIDINGS_REDIS_URL and the server's log")
