"""Proves the ledger from its records: the counters equal them, and everything is where it must be (DESIGN 1, 7)."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from redis.asyncio import Redis

from worker.adapters.redis.callback_reading import CallbackReader
from worker.adapters.redis.keys import JOBS, Keys, Slot
from worker.adapters.redis.reading import LedgerReader, Reading
from worker.adapters.redis.scripts import redis_answers
from worker.contract.audits import Misplaced, ShardAudit
from worker.contract.callbacks import CallbackKey
from worker.contract.counting import batch_miscounts, miscounts

Found = TypeVar("Found")


class RedisAudit:
    """Reads the whole ledger: the keyspace once, then a shard at a time. Changes nothing.

    It holds the ids of all records in memory, about 125 MB for a million. Messages move while it reads, so what differs
    is looked at a second time, and what still differs is a fault: ids are collected before the backlogs are read, and a
    record and all other indexes are read at one instant. A message can then seem misplaced only when it is released
    from its backlog between the two, which happens to it once. A callback is looked at at one instant, record and all.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._reader = LedgerReader(redis, keys)
        self._callbacks = CallbackReader(redis, keys)
        self._number = keys.shards

    async def shards(self) -> AsyncIterator[ShardAudit]:
        """Yield what is found of each shard, and of what is told of batch jobs.

        Raises LedgerUnavailableError when the store did not answer.
        """
        with redis_answers():
            recorded = await self._reader.recorded()
            for shard in range(self._number):
                yield await self._shard(shard, recorded.pop(shard, set()))
            yield await self._with_callbacks(ShardAudit(JOBS, 0), JOBS, await self._callbacks.of_jobs())

    async def _shard(self, shard: int, recorded: set[str]) -> ShardAudit:
        first, reading = await self._look(shard, recorded)
        found = await self._with_callbacks(first, shard, reading.callbacks)
        if first.clean:
            return found
        again = (await self._look(shard, recorded))[0] if first.miscounts or first.batches else first
        return replace(
            found,
            records=again.records,
            miscounts=tuple(
                _still(first.miscounts, again.miscounts, lambda one: (one.app_id, one.channel, one.status))
            ),
            batches=tuple(_still(first.batches, again.batches, lambda one: (one.origin, one.status))),
            misplaced=await self._still_misplaced(shard, first.misplaced),
        )

    async def _look(self, shard: int, recorded: set[str]) -> tuple[ShardAudit, Reading]:
        reader = self._reader
        before, batches = await reader.tallies(shard), await reader.batch_tallies(shard)
        reading = await reader.survey(shard, recorded)
        wrong = miscounts(before, reading.tallies, await reader.tallies(shard))
        in_batches = batch_miscounts(batches, reading.batches, await reader.batch_tallies(shard))
        found = ShardAudit(shard, reading.records, tuple(wrong), tuple(reading.misplaced), tuple(in_batches))
        return found, reading

    async def _with_callbacks(self, audit: ShardAudit, slot: Slot, untold: Iterable[CallbackKey]) -> ShardAudit:
        misplaced, unlisted = await self._callbacks.misplaced(slot, untold)
        return replace(audit, callbacks=tuple(misplaced), unlisted=tuple(unlisted))

    async def _still_misplaced(self, shard: int, seen: Sequence[Misplaced]) -> tuple[Misplaced, ...]:
        if not seen:
            return ()
        ids = {message.message_id for message in seen}
        return tuple(await self._reader.still_misplaced(shard, ids, await self._reader.seen(shard)))


def _still(first: Iterable[Found], again: Iterable[Found], counter: Callable[[Found], object]) -> Iterator[Found]:
    """Yield what differs for the second time."""
    differed = set(map(counter, first))
    return (one for one in again if counter(one) in differed)
