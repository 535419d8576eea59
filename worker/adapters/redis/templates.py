"""Template versions in one Redis hash (see `keys`): the live number of each code, and every version for ever."""

from collections.abc import Sequence

import orjson
from pydantic import ValidationError
from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.scripts import Call, Script, redis_answers, run
from worker.contract.errors import LedgerMismatchError
from worker.contract.templates import TemplateDefinition, TemplateVersion
from worker.ports import Clock
from worker.recent import Recent
from worker.rendering import compile_template

_PUT = Script.read("put_template")


class RedisTemplates:
    """The Templates port on Redis, and the writing side of it.

    A live version is asked for again after `live_for` seconds, so all processes follow a put within that time; a
    version never changes, so it is remembered until the memory is full. What is not there is asked for every time.

    Every method raises LedgerUnavailableError when Redis did not answer, LedgerMismatchError when what it holds was
    written by another release.
    """

    def __init__(self, redis: Redis, keys: Keys, clock: Clock, live_for: float = 1.0, remembered: int = 1024) -> None:
        """Take a connected client that answers bytes.

        Args:
            redis: the client.
            keys: the map of keys.
            clock: its monotonic side times the memory of live versions.
            live_for: seconds that a live version is taken for live without asking.
            remembered: how many live versions, and how many versions, are kept in memory.

        """
        self._redis = redis
        self._hash = keys.templates()
        self._clock = clock
        self._live_for = live_for
        self._live: Recent[str, tuple[float, TemplateVersion]] = Recent(remembered)
        self._versions: Recent[tuple[str, int], TemplateVersion] = Recent(remembered)

    async def live(self, codes: Sequence[str]) -> dict[str, TemplateVersion]:
        """Return the live version of each code that exists."""
        now = self._clock.monotonic()
        found: dict[str, TemplateVersion] = {}
        unknown: dict[str, None] = {}
        for code in codes:
            known = self._live.get(code)
            if known is not None and now < known[0]:
                found[code] = known[1]
            else:
                unknown[code] = None
        if unknown:
            found |= await self._ask_live(list(unknown), now + self._live_for)
        return found

    async def version(self, code: str, version: int) -> TemplateVersion | None:
        """Return one version, or None."""
        return (await self._read([(code, version)])).get((code, version))

    async def put(self, definition: TemplateDefinition) -> TemplateVersion:
        """Make a definition the live version of its code and return it; the live one again when nothing differs.

        To go back to an old version put it again: it gets a new number.

        Raises TemplateSyntaxError when it can't be compiled (R61).
        """
        fields = definition.model_dump(mode="json", exclude={"version"})
        compile_template(TemplateVersion(version=0, **fields))
        content = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        [number] = await run(self._redis, [Call(_PUT, [self._hash], [definition.code, content])])
        self._live.drop(definition.code)
        return TemplateVersion(version=number, **fields)

    async def list(self) -> tuple[TemplateVersion, ...]:
        """Return the live version of every template, by code."""
        with redis_answers():
            fields = await self._redis.hkeys(self._hash)
        codes = sorted(_text(field) for field in fields if "#" not in _text(field))
        live = await self._ask_live(codes, self._clock.monotonic() + self._live_for) if codes else {}
        return tuple(live.values())

    async def _ask_live(self, codes: Sequence[str], fresh_until: float) -> dict[str, TemplateVersion]:
        with redis_answers():
            numbers = await self._redis.hmget(self._hash, codes)
        # `<code>#<n>` is a field too, of a version; no code holds a '#' (R12).
        named = [(code, number) for code, number in zip(codes, numbers, strict=True) if "#" not in code]
        wanted = [(code, int(number)) for code, number in named if number is not None]
        found = await self._read(wanted)
        for (code, _), version in found.items():
            self._live.keep(code, (fresh_until, version))
        return {code: version for (code, _), version in found.items()}

    async def _read(self, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], TemplateVersion]:
        """Return those of the wanted versions that exist, in the order wanted."""
        known = {name: self._versions.get(name) for name in wanted}
        asked = [name for name, version in known.items() if version is None]
        known |= await self._fetch(asked) if asked else {}
        return {name: version for name, version in known.items() if version is not None}

    async def _fetch(self, asked: Sequence[tuple[str, int]]) -> dict[tuple[str, int], TemplateVersion]:
        with redis_answers():
            contents = await self._redis.hmget(self._hash, [f"{code}#{number}" for code, number in asked])
        found = {
            name: _version(name, content) for name, content in zip(asked, contents, strict=True) if content is not None
        }
        for name, version in found.items():
            self._versions.keep(name, version)
        return found


def _version(name: tuple[str, int], content: bytes | str) -> TemplateVersion:
    code, number = name
    try:
        return TemplateVersion(version=number, **orjson.loads(content))
    except (ValidationError, orjson.JSONDecodeError) as error:
        text = f"template {code} version {number} was stored by another release of tidings: put the template again"
        raise LedgerMismatchError(text) from error


def _text(field: bytes | str) -> str:
    return field.decode() if isinstance(field, bytes) else field
