"""What changes which version of a template is live, and the history of it: two scripts and a list in Redis."""

from secrets import token_hex

from redis.asyncio import Redis

from worker.adapters.redis.registry_keys import TEMPLATES_KEY, template_history_key
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, redis_answers, run
from worker.contract.template_history import (
    Published,
    TemplateAct,
    TemplateEvent,
    TemplateMove,
    TemplateMoveError,
    before_live,
)

_PUT = Script.read("put_template")
_PUBLISH = Script.read("publish_template")
_LONGEST_NAME = 64


class TemplateMoves:
    """Every method raises LedgerUnavailableError when Redis did not answer. A move that is sent twice happens once."""

    def __init__(self, redis: Redis) -> None:
        """Keep the connection pool."""
        self._redis = redis

    async def put(self, code: str, content: bytes, act: TemplateAct, by: str) -> TemplateMove:
        """Store a content; PUT leaves it a draft, PUBLISH makes it live."""
        arguments: list[str | bytes | int] = [code, content, act, token_hex(8), _name(by)]
        [(changed, version, former)] = await run(self._redis, [Call(_PUT, self._of(code), arguments)])
        return TemplateMove(version, former, bool(changed))

    async def publish(self, code: str, version: int, by: str) -> TemplateMove:
        """Make a version live; raises TemplateMoveError where there is no such version."""
        return await self._move(code, version, None, by)

    async def roll_back(self, code: str, by: str) -> TemplateMove:
        """Make the version live that was so before; raises TemplateMoveError where there is none."""
        history = await self.history(code)
        version = before_live(history)
        if version is None:
            raise TemplateMoveError(
                f"no version of {code} was live before: see `tidings template history`, and publish one by its number",
            )
        live = next(event.version for event in history if event.act is not TemplateAct.PUT)
        return await self._move(code, version, live, by)

    async def history(self, code: str) -> tuple[TemplateEvent, ...]:
        """Return what was done to a template, the newest first."""
        with redis_answers():
            events = await self._redis.lrange(template_history_key(code), 0, -1)
        return tuple(_event(text(event)) for event in events)

    async def _move(self, code: str, version: int, expected: int | None, by: str) -> TemplateMove:
        act = TemplateAct.PUBLISH if expected is None else TemplateAct.ROLLBACK
        live = "" if expected is None else expected
        arguments: list[str | bytes | int] = [code, version, live, act, token_hex(8), _name(by)]
        [(answer, former)] = await run(self._redis, [Call(_PUBLISH, self._of(code), arguments)])
        match Published(answer):
            case Published.ABSENT:
                raise TemplateMoveError(f"{code} has no version {version}: see `tidings template history {code}`")
            case Published.MOVED:
                raise TemplateMoveError(
                    f"{code}: somebody else made version {former} live meanwhile; nothing was changed, look again",
                )
            case Published.DONE | Published.UNCHANGED:
                return TemplateMove(version, former, answer == Published.DONE)

    def _of(self, code: str) -> list[str]:
        return [TEMPLATES_KEY, template_history_key(code)]


def _event(line: str) -> TemplateEvent:
    _, at, act, version, former, by = line.split("|", 5)
    return TemplateEvent(int(at), TemplateAct(act), int(version), int(former), by)


def _name(by: str) -> str:
    return "".join(character for character in by if character.isprintable())[:_LONGEST_NAME]
