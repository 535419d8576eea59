"""Turns of the backlogs: from there to the due indexes while windows have room (DESIGN 6)."""

from collections.abc import Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run
from worker.adapters.redis.times import Now
from worker.contract.messages import CHUNK, Hint, Lane
from worker.contract.origins import Origin
from worker.ports import ShardLane

_ORIGINS_A_RELEASE = 64
_QUANTUM = 50
"""Messages of a turn where there are many backlogs; else a chunk is shared out."""

_RELEASE = Script.read("release_backlog")


class Releases:
    """Moves messages out of backlogs that are not paused."""

    def __init__(self, redis: Redis, keys: Keys, limits: LedgerLimits, now: Now) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._limits = limits
        self._now = now

    async def release(self, places: Sequence[ShardLane]) -> list[Hint]:
        """Move messages from the backlogs of places to their due indexes, round robin between a place's origins."""
        released: dict[ShardLane, list[str]] = {place: [] for place in places}
        start, left = 0, list(places)
        while left:
            origins = await self._least_served(left, start)
            calls = [self._release_call(place, some, CHUNK - len(released[place])) for place, some in origins.items()]
            for place, ids in zip(origins, await run(self._redis, calls), strict=True):
                released[place] += map(text, ids)
            # Merchants whose windows are full must not hide those behind them.
            full = [place for place, some in origins.items() if len(some) == _ORIGINS_A_RELEASE]
            start, left = start + _ORIGINS_A_RELEASE, [place for place in full if len(released[place]) < CHUNK]
        return [Hint(lane, shard, tuple(ids)) for (shard, lane), ids in released.items() if ids]

    async def _least_served(self, places: Sequence[ShardLane], start: int) -> dict[ShardLane, list[Origin]]:
        pipeline = self._redis.pipeline(transaction=False)
        for shard, lane in places:
            pipeline.zrange(self._keys.backlogs(shard, lane), start, start + _ORIGINS_A_RELEASE - 1)
        pages = zip(places, await execute(pipeline), strict=True)
        return {place: [Origin.read(text(member)) for member in page] for place, page in pages if page}

    def _release_call(self, place: ShardLane, origins: Sequence[Origin], most: int) -> Call:
        (shard, lane), keys, limits = place, self._keys, self._limits
        shared = [keys.due(shard), keys.window(shard), keys.backlogs(shard, lane), keys.waiting(shard)]
        quantum = max(_QUANTUM, most // len(origins))
        arguments = [self._now(), lane, limits.grace, limits.window(lane), quantum, most, limits.waiting]
        backlogs = [keys.backlog(shard, lane, origin) for origin in origins]
        return Call(_RELEASE, shared + backlogs, arguments + [origin.text for origin in origins])

    async def backlogged(self) -> list[ShardLane]:
        """Return the places that have a backlog."""
        found = []
        for lane in Lane:
            pipeline = self._redis.pipeline(transaction=False)
            for shard in range(self._keys.shards):
                pipeline.exists(self._keys.backlogs(shard, lane))
            sizes = await execute(pipeline)
            found += [(shard, lane) for shard, size in enumerate(sizes) if size]
        return found
