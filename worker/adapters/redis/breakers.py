"""The gateways' breakers in Redis, so that all workers leave alone what one of them found failing (R69)."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis.asyncio import Redis

from worker.adapters.redis.registry_keys import BREAKERS_KEY
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, redis_answers, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.contract.gateways import OpenedBreaker

_OPEN = Script.read("open_breaker")
_PROBE = Script.read("probe_breaker")


@dataclass(frozen=True, slots=True)
class BreakerTimes:
    """How long breakers stay open; milliseconds."""

    first: int = 1_000
    """The first time; each time after it is twice as long."""
    longest: int = 5_000
    """At most, unless the gateway asked for more; and how long one probe keeps others from asking."""


class RedisBreakers:
    """Implements `ports.BreakerStore`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, times: BreakerTimes, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._times = times
        self._now = now

    async def open(self, gateway: str, reason: str, asked: int | None) -> int:
        """Open a breaker, for the milliseconds that the gateway `asked` for or else for twice the time before."""
        arguments = [
            self._now(),
            gateway,
            "" if asked is None else asked,
            self._times.first,
            self._times.longest,
            reason,
        ]
        return await self._run(_OPEN, arguments)

    async def probe(self, gateway: str) -> int:
        """Take the right to the one call that asks whether a gateway is back; 0, or the milliseconds to wait."""
        return await self._run(_PROBE, [self._now(), gateway, self._times.longest])

    async def close(self, gateway: str) -> None:
        """Let everybody call the gateway again."""
        with redis_answers():
            await self._redis.hdel(BREAKERS_KEY, gateway)

    async def opened(self) -> Mapping[str, OpenedBreaker]:
        """Return the breakers that are not closed, by gateway name."""
        with redis_answers():
            stored = await self._redis.hgetall(BREAKERS_KEY)
        if not stored:
            return {}
        now = await ledger_time(self._redis, self._now)
        return {text(name): _breaker(text(fields), now) for name, fields in stored.items()}

    async def _run(self, script: Script, arguments: list[str | int]) -> int:
        (milliseconds,) = await run(self._redis, [Call(script, [BREAKERS_KEY], arguments)])
        return int(milliseconds)


def _breaker(fields: str, now: int) -> OpenedBreaker:
    until, since, times, _, reason = fields.split("|", 4)
    return OpenedBreaker(max(0, int(until) - now), int(since), int(times), reason)
