"""Proves the ledger from its records: the counters equal them, and every message is where it must be (DESIGN 1, 7)."""

from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.reading import LedgerReader
from worker.adapters.redis.scripts import redis_answers
from worker.contract.audits import Misplaced, ShardAudit, miscounts


class RedisAudit:
    """Reads the whole ledger: the keyspace once, then a shard at a time. Changes nothing.

    It holds the ids of all records in memory, about 125 MB for a million. Messages move while it reads, so what differs
    is looked at a second time, and what still differs is a fault: ids are collected before the backlogs are read, and a
    record and all other indexes are read at one instant. A message can then seem misplaced only when it is released
    from its backlog between the two, which happens to it once.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._reader = LedgerReader(redis, keys)
        self._number = keys.shards

    async def shards(self) -> AsyncIterator[ShardAudit]:
        """Yield what is found of each shard; raise LedgerUnavailableError when the store did not answer."""
        with redis_answers():
            recorded = await self._reader.recorded()
            for shard in range(self._number):
                yield await self._shard(shard, recorded.pop(shard, set()))

    async def _shard(self, shard: int, recorded: set[str]) -> ShardAudit:
        first = await self._look(shard, recorded)
        if first.clean:
            return first
        again = await self._look(shard, recorded) if first.miscounts else first
        differing = {(count.app_id, count.channel, count.status) for count in first.miscounts}
        return ShardAudit(
            shard=shard,
            records=again.records,
            miscounts=tuple(
                count for count in again.miscounts if (count.app_id, count.channel, count.status) in differing
            ),
            misplaced=await self._still_misplaced(shard, first.misplaced),
        )

    async def _look(self, shard: int, recorded: set[str]) -> ShardAudit:
        reader = self._reader
        before = await reader.tallies(shard)
        reading = await reader.survey(shard, recorded)
        found = miscounts(before, reading.tallies, await reader.tallies(shard))
        return ShardAudit(shard, reading.records, tuple(found), tuple(reading.misplaced))

    async def _still_misplaced(self, shard: int, seen: Sequence[Misplaced]) -> tuple[Misplaced, ...]:
        if not seen:
            return ()
        ids = {message.message_id for message in seen}
        return tuple(await self._reader.still_misplaced(shard, ids, await self._reader.seen(shard)))
