"""Callbacks that were given up, in Redis: listed, made again from the start, or let go."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.records import delivery
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, redis_answers, run_each
from worker.adapters.redis.times import Now, server_time
from worker.contract.callbacks import CallbackKey, DeadCallback
from worker.contract.messages import Channel
from worker.contract.outcomes import WholeOutcome

_RELEASE = Script.read("release_dead_callbacks")
_FIELDS = ("req", "exp", "PUSH", "INBOX", "cbs")
_SCAN = 1_000


class RedisDeadCallbacks:
    """Reads and changes Redis; raises LedgerUnavailableError when it did not answer."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call. `now` gives the time for tests."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def newest(self, most: int, app_id: str | None = None) -> list[DeadCallback]:
        """Return the ones that were given up last, of one merchant or all; the newest first."""
        if app_id is None:
            pipeline = self._redis.pipeline(transaction=False)
            for shard in range(self._keys.shards):
                pipeline.zrange(self._keys.uncalled(shard), 0, most - 1, desc=True, withscores=True)
            found = [entry for entries in await execute(pipeline) for entry in entries]
        else:
            found = [entry async for entry in self._entries(f"{app_id}#*")]
        latest = sorted(((int(at), key_of(text(member))) for member, at in found), reverse=True)[:most]
        return await self._described([(key, at) for at, key in latest])

    async def find(self, message_ids: Sequence[str]) -> list[DeadCallback]:
        """Return those of messages that have one."""
        wanted = set(message_ids)
        found = [(key_of(text(member)), int(at)) async for member, at in self._entries("*")]
        return await self._described([(key, at) for key, at in found if key.message_id in wanted])

    async def every(self, app_id: str | None = None) -> list[CallbackKey]:
        """Return the names of all, of one merchant or of all."""
        pattern = "*" if app_id is None else f"{app_id}#*"
        return [key_of(text(member)) async for member, _ in self._entries(pattern)]

    async def replay(self, keys: Sequence[CallbackKey]) -> list[bool]:
        """Make callbacks again, from the start; False for one that is not among the dead."""
        return await self._release("replay", keys)

    async def discard(self, keys: Sequence[CallbackKey]) -> list[bool]:
        """Let callbacks go for good; False for one that is not among the dead."""
        return await self._release("discard", keys)

    async def _release(self, what: str, keys: Sequence[CallbackKey]) -> list[bool]:
        def call(shard: int, chunk: Sequence[CallbackKey]) -> Call:
            shared = [self._keys.uncalled(shard), self._keys.outbox(shard)]
            records = [self._keys.message(shard, key.message_id) for key in chunk]
            return Call(_RELEASE, shared + records, [self._now(), what, *map(_member, chunk)])

        codes = await run_each(self._redis, keys, lambda key: self._keys.shard(key.message_id), call)
        return [bool(code) for code in codes]

    async def _entries(self, pattern: str) -> AsyncIterator[tuple[Any, float]]:
        with redis_answers():
            for shard in range(self._keys.shards):
                async for entry in self._redis.zscan_iter(
                    self._keys.uncalled(shard), match=_escaped(pattern), count=_SCAN
                ):
                    yield entry

    async def _described(self, found: Sequence[tuple[CallbackKey, int]]) -> list[DeadCallback]:
        pipeline = self._redis.pipeline(transaction=False)
        for key, _ in found:
            pipeline.hmget(self._keys.message(self._keys.shard(key.message_id), key.message_id), _FIELDS)
        rows = await execute(pipeline) if found else []
        return [_dead(key, at, row) for (key, at), row in zip(found, rows, strict=True)]


def key_of(member: str) -> CallbackKey:
    """Return the name of a callback in a member of an index."""
    app_id, message_id, finality = member.split("#")
    return CallbackKey(app_id, message_id, int(finality))


def _member(key: CallbackKey) -> str:
    return f"{key.app_id}#{key.message_id}#{key.finality}"


def _escaped(pattern: str) -> str:
    """Return a pattern in which only a `*` at the end means something: an appId may hold any character but `#?@`."""
    fixed = pattern.removesuffix("*")
    return "".join(f"\\{character}" if character in "*[]\\^-" else character for character in fixed) + "*"


def _dead(key: CallbackKey, died_at: int, row: Sequence[bytes | None]) -> DeadCallback:
    request_id, expires, push, inbox, history = (text(field or b"") for field in row)
    fields = ((Channel.PUSH, push), (Channel.INBOX, inbox))
    deliveries = tuple(delivery(channel, field) for channel, field in fields if field)
    tries, detail = (*history.split("|", 5), *[""] * 6)[4:6]
    status = WholeOutcome.of(deliveries, int(expires)).status if deliveries else None
    return DeadCallback(key, died_at, request_id, status, int(tries or 0), detail)
