"""The turns of gateways that have a send rate in Redis, shared by all workers (CONTRACT R69)."""

from collections.abc import Sequence
from math import ceil

from redis.asyncio import Redis

from worker.adapters.redis.registry_keys import turns_key
from worker.adapters.redis.scripts import Call, Script, redis_answers, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.contract.rates import Turn

_RESERVE = Script.read("reserve_turn")


class RedisTurns:
    """Implements `limit_ports.Turns`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._now = now

    async def reserve(self, gateway: str, rate: int, messages: int, patience: int) -> Turn:
        """Take the next free turn, if it begins within `patience` milliseconds; `rate` is messages a second."""
        call = Call(_RESERVE, [turns_key(gateway)], [self._now(), rate, messages, patience])
        (answer,) = await run(self._redis, [call])
        return Turn(*answer)

    async def taken_for(self, gateways: Sequence[str]) -> dict[str, int]:
        """Return for how many milliseconds from now all turns of each gateway are taken; 0: one is free."""
        if not gateways:
            return {}
        now = await ledger_time(self._redis, self._now)
        with redis_answers():
            begins = await self._redis.mget([turns_key(gateway) for gateway in gateways])
        return {gateway: max(0, ceil(float(at or 0)) - now) for gateway, at in zip(gateways, begins, strict=True)}
