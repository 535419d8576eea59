"""Template versions in one Redis hash (see `registry_keys`): the live number of each code, every version for ever."""

from collections.abc import Sequence

import orjson
from pydantic import ValidationError
from redis.asyncio import Redis

from worker.adapters.redis.registry_keys import TEMPLATES_KEY
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import redis_answers
from worker.adapters.redis.template_moves import TemplateMoves
from worker.contract.errors import LedgerMismatchError
from worker.contract.template_history import TemplateAct, TemplateEvent, TemplateMove, TemplateStanding
from worker.contract.templates import TemplateDefinition, TemplateVersion
from worker.ports import Clock
from worker.recent import Recent
from worker.rendering import compile_template

_NEWEST = "#newest"
_SINCE = "#since"


class RedisTemplates:
    """The Templates and TemplateCatalogue ports on Redis, and the writing side of them.

    A live version is asked for again after `live_for` seconds, so all processes follow a publication within that time;
    a version never changes, so it is remembered until the memory is full. What is not there is asked for every time.

    Every method raises LedgerUnavailableError when Redis did not answer, LedgerMismatchError when what it holds was
    written by another release.
    """

    def __init__(self, redis: Redis, clock: Clock, live_for: float = 1.0, remembered: int = 1024) -> None:
        """Take a connected client that answers bytes.

        Args:
            redis: the client.
            clock: its monotonic side times the memory of live versions.
            live_for: seconds that a live version is taken for live without asking.
            remembered: how many live versions, and how many versions, are kept in memory.

        """
        self._redis = redis
        self._moves = TemplateMoves(redis)
        self._clock = clock
        self._live_for = live_for
        self._codes: tuple[float, Sequence[str]] = (float("-inf"), ())
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

    async def published(self, code: str, version: int) -> TemplateVersion | None:
        """Return a version that is live or was so once; None for a draft, as for one that is not there."""
        with redis_answers():
            since = await self._redis.hget(TEMPLATES_KEY, f"{code}#{version}{_SINCE}")
        return None if since is None else await self.version(code, version)

    async def put(self, definition: TemplateDefinition, by: str = "") -> TemplateVersion:
        """Make a definition the live version of its code and return it; the live one again when nothing differs.

        What has the text of an old version gets a new number; `publish` makes the old one live itself.

        Raises TemplateSyntaxError when it can't be compiled (R61).
        """
        version, _ = await self._store(definition, TemplateAct.PUBLISH, by)
        return version

    async def draft(self, definition: TemplateDefinition, by: str = "") -> tuple[TemplateVersion, TemplateMove]:
        """Store a definition as a version that is not live; raises as `put` does."""
        return await self._store(definition, TemplateAct.PUT, by)

    async def publish(self, code: str, version: int, by: str = "") -> TemplateMove:
        """Make a version the live one; raises TemplateMoveError where there is no such version."""
        move = await self._moves.publish(code, version, by)
        self._live.drop(code)
        return move

    async def roll_back(self, code: str, by: str = "") -> TemplateMove:
        """Make the version live that was so before the live one; raises TemplateMoveError where there is none."""
        move = await self._moves.roll_back(code, by)
        self._live.drop(code)
        return move

    async def history(self, code: str) -> tuple[TemplateEvent, ...]:
        """Return what was done to a template, the newest first."""
        return await self._moves.history(code)

    async def list(self) -> tuple[TemplateVersion, ...]:
        """Return the live version of every template that has one, by code."""
        codes = [standing.code for standing in await self.standings() if standing.live]
        live = await self._ask_live(codes, self._clock.monotonic() + self._live_for) if codes else {}
        return tuple(live.values())

    async def codes(self) -> Sequence[str]:
        """Return the codes of all templates that have a live version, sorted; at most `live_for` seconds old."""
        now = self._clock.monotonic()
        if now >= self._codes[0]:
            found = [standing.code for standing in await self.standings() if standing.live]
            self._codes = (now + self._live_for, found)
        return self._codes[1]

    async def standings(self) -> tuple[TemplateStanding, ...]:
        """Return which versions every template has, by code."""
        with redis_answers():
            fields = [text(field) for field in await self._redis.hkeys(TEMPLATES_KEY)]
            codes = sorted({field.removesuffix(_NEWEST) for field in fields if "#" not in field.removesuffix(_NEWEST)})
            wanted = [name for code in codes for name in (code, code + _NEWEST)]
            numbers = await self._redis.hmget(TEMPLATES_KEY, wanted) if wanted else []
        return tuple(
            TemplateStanding(code, int(live or 0), int(newest or live or 0))
            for code, live, newest in zip(codes, numbers[::2], numbers[1::2], strict=True)
        )

    async def _store(
        self,
        definition: TemplateDefinition,
        act: TemplateAct,
        by: str,
    ) -> tuple[TemplateVersion, TemplateMove]:
        fields = definition.model_dump(mode="json", exclude={"version"})
        compile_template(TemplateVersion(version=0, **fields))
        content = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
        move = await self._moves.put(definition.code, content, act, by)
        self._live.drop(definition.code)
        return TemplateVersion(version=move.version, **fields), move

    async def _ask_live(self, codes: Sequence[str], fresh_until: float) -> dict[str, TemplateVersion]:
        with redis_answers():
            numbers = await self._redis.hmget(TEMPLATES_KEY, codes)
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
            contents = await self._redis.hmget(TEMPLATES_KEY, [f"{code}#{number}" for code, number in asked])
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
