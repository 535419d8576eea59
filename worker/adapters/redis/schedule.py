"""What waits for its time in Redis, until it is moved to its backlog."""

from collections.abc import Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.batching import chunks, grouped
from worker.contract.messages import CHUNK, Lane
from worker.contract.origins import Origin

_WAKE = Script.read("wake_messages")
_A_SHARD = 10 * CHUNK
"""Messages of a shard that are woken at once."""


class RedisSchedule:
    """Wakes messages. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def wake(self) -> None:
        """Move what has reached its time to its backlog, at most 2,000 messages of a shard."""
        now = await ledger_time(self._redis, self._now)
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.zrange(self._keys.scheduled(shard), "-inf", now, byscore=True, offset=0, num=_A_SHARD)
        calls = [
            self._call(shard, lane, origin, some)
            for shard, members in enumerate(await execute(pipeline))
            for (lane, origin), own in grouped(map(text, members), _place).items()
            for some in chunks(own, CHUNK)
        ]
        await run(self._redis, calls)

    def _call(self, shard: int, lane: Lane, origin: Origin, members: Sequence[str]) -> Call:
        keys = self._keys
        touched = [
            keys.scheduled(shard),
            keys.plans(shard),
            keys.backlog(shard, lane, origin),
            keys.backlogs(shard, lane),
            keys.stopped(shard, lane),
            keys.paused(shard),
        ]
        return Call(_WAKE, touched, [self._now(), origin.text, *members])


def _place(member: str) -> tuple[Lane, Origin]:
    lane, app_id, batch_id, *_ = member.split("#")
    return Lane(lane), Origin(app_id, batch_id)
