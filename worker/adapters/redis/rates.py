"""The rate limits of merchants in Redis, shared by all API processes (CONTRACT R36)."""

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run
from worker.adapters.redis.times import Now, server_time
from worker.contract.rates import Grant, LimitedBy, RateLimit, RateUse

_TAKE = Script.read("take_permits")


class RedisRates:
    """Implements `limit_ports.Rates`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def take(self, asked: Mapping[RateLimit, int]) -> dict[RateLimit, Grant]:
        """Let sends through, by how many ask under each limit; one call of a script for each, in one round trip."""
        answers = await run(self._redis, [self._take(limit, number) for limit, number in asked.items()])
        return {limit: Grant(*answer) for limit, answer in zip(asked, answers, strict=True)}

    def _take(self, limit: RateLimit, number: int) -> Call:
        keys = self._keys
        arguments = [self._now(), limit.rate, number, refused_field(limit)]
        return Call(_TAKE, [keys.rate(limit), keys.refused(keys.shard_of_rate(limit))], arguments)

    async def uses(self, limits: Sequence[RateLimit]) -> dict[RateLimit, RateUse]:
        """Return how much of each limit is used; nothing is taken."""
        grants = await run(self._redis, [self._take(limit, 0) for limit in limits])
        pipeline = self._redis.pipeline(transaction=False)
        for limit in limits:
            pipeline.hget(self._keys.refused(self._keys.shard_of_rate(limit)), refused_field(limit))
        refused = await execute(pipeline)
        return {
            limit: RateUse(left, int(number or 0))
            for limit, (_, left, _), number in zip(limits, grants, refused, strict=True)
        }


def refused_field(limit: RateLimit) -> str:
    """Return the field of `refused` that counts for a limit."""
    return f"{limit.by}#{limit.name}"


def refused_of(fields: Mapping[bytes | str, bytes | str]) -> dict[tuple[LimitedBy, str], int]:
    """Return how many sends each limit of a shard refused."""
    numbers = {}
    for field, number in fields.items():
        by, _, name = text(field).partition("#")
        numbers[LimitedBy(by), name] = int(number)
    return numbers
