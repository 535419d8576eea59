"""Sets counters of a shard to what its records say, unless they moved while these were read."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple, TypeAlias

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.reading import LedgerReader, Reading
from worker.adapters.redis.scripts import Call, Script, run
from worker.contract.audits import ShardAudit
from worker.contract.counting import BatchTallies, Tallies
from worker.contract.messages import Channel
from worker.contract.origins import BatchTally, Origin
from worker.contract.outcomes import Tally
from worker.contract.repairs import BatchRecounted, Recounted

_COUNTERS = Script.read("repair_counters")
_ROUNDS = 3
"""How often a shard is counted anew because its counters moved meanwhile."""

Counted: TypeAlias = tuple[str, Channel] | Origin
"""Whose counters: those of an appId and channel, or of a batch."""


class _Change(NamedTuple):
    """Counters by status as they were read, and as they are to become."""

    was: Mapping[str, int]
    right: Mapping[str, int]

    def differing(self) -> Iterator[tuple[str, int, int]]:
        """Yield status, before and after of those that change."""
        return ((status, was, self.right[status]) for status, was in self.was.items() if was != self.right[status])


@dataclass(frozen=True, slots=True)
class _Books:
    """The counters of a shard, and what its records said right after."""

    tallies: Tallies
    batches: BatchTallies
    reading: Reading

    def change(self, of: Counted) -> _Change:
        """Return what some counters are and what they are to become; what was forgotten is known to them alone."""
        if isinstance(of, Origin):
            batch, counted = self.batches.get(of, BatchTally()), self.reading.batches.get(of, BatchTally())
            kept = replace(counted, taken=counted.taken + batch.forgotten, forgotten=batch.forgotten)
            # A batch is forgotten in a shard with the last of its messages there.
            return _Change(asdict(batch), asdict(kept if counted.taken else counted))
        was, found = self.tallies.get(of, Tally()), self.reading.tallies.get(of, Tally())
        return _Change(
            asdict(was), asdict(replace(found, accepted=found.accepted + was.forgotten, forgotten=was.forgotten))
        )


class Recounting:
    """Counts the records of a shard anew and sets the counters that differ."""

    def __init__(self, redis: Redis, keys: Keys, reader: LedgerReader) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._reader = reader

    async def recount(
        self, shard: int, audit: ShardAudit, recorded: Collection[str]
    ) -> tuple[tuple[Recounted, ...], tuple[BatchRecounted, ...]]:
        """Set the counters that an audit of the shard names; those that keep moving are left as they are."""
        wrong: list[Counted] = [*sorted({(count.app_id, count.channel) for count in audit.miscounts})]
        wrong += sorted({count.origin for count in audit.batches})
        merchants: list[Recounted] = []
        batches: list[BatchRecounted] = []
        for _ in range(_ROUNDS):
            if not wrong:
                break
            books, moving = await self._books(shard, recorded), []
            for of in wrong:
                change = books.change(of)
                if not await self._set(shard, of, change):
                    moving.append(of)
                elif isinstance(of, Origin):
                    batches += (BatchRecounted(of, *one) for one in change.differing())
                else:
                    app_id, channel = of
                    merchants += (Recounted(app_id, channel, *one) for one in change.differing())
            wrong = moving
        return tuple(merchants), tuple(batches)

    async def _books(self, shard: int, recorded: Collection[str]) -> _Books:
        tallies, batches = await self._reader.tallies(shard), await self._reader.batch_tallies(shard)
        return _Books(tallies, batches, await self._reader.survey(shard, recorded))

    async def _set(self, shard: int, of: Counted, change: _Change) -> bool:
        if isinstance(of, Origin):
            key, prefix = self._keys.batches(shard), of.text
        else:
            key, prefix = self._keys.counters(shard), "#".join(of)
        arguments: list[str | bytes | int] = []
        for status, was in change.was.items():
            arguments += (f"{prefix}#{status}", was, change.right[status])
        (done,) = await run(self._redis, [Call(_COUNTERS, [key], arguments)])
        return bool(done)
