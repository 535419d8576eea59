"""Pauses and batches of FakeLedger."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from tests.fakes.ledger import CHUNK, FakeLedger, Place
from tests.fakes.record import Record
from worker.contract.cancellations import Cancelled, Standing
from worker.contract.messages import DeliveryState, Hint, Lane
from worker.contract.origins import BatchRow, BatchTally, Decision, Origin, Pause
from worker.contract.outcomes import DeliveryOutcome, Intervention, InterventionKind


@dataclass(frozen=True, slots=True)
class FakePauses:
    """Implements `origin_ports.Pauses`."""

    ledger: FakeLedger

    async def pause(self, origin: Origin) -> bool:
        """Pause a merchant with all its batches, or one batch: what is not in a worker's hands stays."""
        ledger = self.ledger
        await ledger.ping()
        before = all((shard, origin) in ledger.paused for shard in range(ledger.shards))
        for shard in range(ledger.shards):
            ledger.paused.setdefault((shard, origin), ledger.now)
        for place in self._covered(ledger.released, origin):
            del ledger.released[place]
            ledger.stopped[place] = 0
        for record in ledger.records.values():
            if origin in record.origin.pausing and record.due_at is not None and not record.attempt:
                record.due_at = None
                ledger._wait_in_backlog((record.shard, record.lane, record.origin), record.new.message_id)
        return before

    async def close(self, batch: Origin) -> None:
        """Pause a batch for good: what a gateway was asked for goes on."""
        await self.pause(batch)
        self.ledger.closed.update((shard, batch) for shard in range(self.ledger.shards))

    def _covered(self, places: Iterable[Place], origin: Origin) -> list[Place]:
        return [place for place in places if origin in place[2].pausing]

    async def resume(self, origin: Origin) -> bool:
        """Let it go on. What was paused by itself stays paused: a batch of the merchant, the merchant of the batch."""
        ledger = self.ledger
        await ledger.ping()
        before = any((shard, origin) in ledger.paused for shard in range(ledger.shards))
        for shard in range(ledger.shards):
            ledger.paused.pop((shard, origin), None)
            ledger.staged.pop((shard, origin), None)
            if origin.batch_id:
                ledger.started[shard, origin] = ledger.now
        gone = [key for key, at in ledger.started.items() if at < ledger.now - ledger.limits.retention]
        for key in gone:
            del ledger.started[key]
        for place in sorted(self._covered(ledger.stopped, origin), key=lambda place: ledger.stopped[place]):
            if not ledger.is_paused(place[0], place[2]):
                del ledger.stopped[place]
                ledger.list_backlog(place)
        return before

    async def paused(self) -> list[Pause]:
        """Return what is paused, by appId and batchId; staged batches too."""
        await self.ledger.ping()
        origins = sorted({origin for _, origin in self.ledger.paused})
        return [Pause(one, min(at for (_, other), at in self.ledger.paused.items() if other == one)) for one in origins]


@dataclass(frozen=True, slots=True)
class FakeBatches:
    """Implements `origin_ports.Batches`."""

    ledger: FakeLedger

    async def tally(self, batch: Origin) -> BatchTally:
        """Return how many messages of a batch have which outcome."""
        (tally,) = await self.tallies([batch])
        return tally

    async def tallies(self, batches: Sequence[Origin]) -> list[BatchTally]:
        """Return the same of several, in order."""
        await self.ledger.ping()
        shares = self.ledger.batch_tallies.items()
        return [
            sum((share for (_, origin), share in shares if origin == batch), start=BatchTally()) for batch in batches
        ]

    async def rows(self, batch: Origin, first: int, number: int) -> list[BatchRow]:
        """Return the messages with rows from `first` on, `number` rows at most, in order; rows may be missing."""
        await self.ledger.ping()
        found = [
            BatchRow(record.new.row, message_id)
            for message_id, record in self.ledger.records.items()
            if record.origin == batch and record.new.row is not None
        ]
        return sorted(one for one in found if first <= one.row < first + number)

    async def run(self, batch: Origin) -> bool:
        """Let a staged batch be sent, for good; False where it was withdrawn before. Safe to repeat."""
        return await self._decide(batch, Decision.RUN) is Decision.RUN

    async def withdraw(self, batch: Origin) -> bool:
        """Erase a staged batch as if it had never been taken; False where it runs already. Safe to repeat."""
        return await self._decide(batch, Decision.WITHDRAW) is Decision.WITHDRAW

    async def forget(self, batch: Origin) -> None:
        """Forget that a batch was paused, closed or resumed, where no message of it is left."""
        await self.ledger.ping()
        for shard in range(self.ledger.shards):
            if (shard, batch) not in self.ledger.batch_tallies:
                self.ledger.paused.pop((shard, batch), None)
                self.ledger.started.pop((shard, batch), None)
                self.ledger.closed.discard((shard, batch))

    async def _decide(self, batch: Origin, wanted: Decision) -> Decision:
        await self.ledger.ping()
        decision = self.ledger.decisions.setdefault(batch, wanted)
        if decision is Decision.RUN:
            await FakePauses(self.ledger).resume(batch)
        else:
            for shard in range(self.ledger.shards):
                if (shard, batch) in self.ledger.paused:
                    self._withdraw(shard, batch)
        return decision

    def _withdraw(self, shard: int, batch: Origin) -> None:
        ledger = self.ledger
        mine = [record for record in ledger.records.values() if (record.shard, record.origin) == (shard, batch)]
        waiting = [message_id for lane in Lane for message_id in ledger.backlogs.get((shard, lane, batch), [])]
        waiting += [record.new.message_id for record in mine if record.scheduled_at is not None]
        untouched = {message_id for message_id in waiting if not ledger.records[message_id].attempt}
        for message_id in untouched:
            ledger._count_message(ledger.records.pop(message_id), taken=-1, open=-1)
        for lane in Lane:
            place = (shard, lane, batch)
            left = [message_id for message_id in ledger.backlogs.pop(place, []) if message_id not in untouched]
            if left:
                ledger.backlogs[place] = left
            else:
                ledger.stopped.pop(place, None)
        tally = ledger.batch_tallies.get((shard, batch))
        if tally is not None and tally.taken == tally.forgotten:
            del ledger.batch_tallies[shard, batch]
        if len(untouched) == len(waiting):
            del ledger.paused[shard, batch]
            ledger.staged.pop((shard, batch), None)


@dataclass(frozen=True, slots=True)
class FakeCancellations:
    """Implements `origin_ports.Cancellations`."""

    ledger: FakeLedger

    async def cancel(self, app_id: str, message_ids: Sequence[str], reason: str) -> list[Cancelled]:
        """End messages of a merchant that were not sent; one answer each, in order."""
        await self.ledger.ping()
        found = [self.ledger.records.get(message_id) for message_id in message_ids]
        return [
            self._cancel(record, reason) if record is not None and record.app_id == app_id else Cancelled.UNKNOWN
            for record in found
        ]

    def _cancel(self, record: Record, reason: str) -> Cancelled:
        states = {delivery.state for delivery in record.deliveries.values()}
        if DeliveryState.OPEN not in states:
            cancelled = any(delivery.code == "CANCELLED" for delivery in record.deliveries.values())
            return Cancelled.CANCELLED if cancelled else Cancelled.FINAL
        if record.lease or (record.shard, record.origin) in self.ledger.staged:
            return Cancelled.HELD
        if record.tries or record.crashes or record.runs or record.unanswered_since is not None:
            return Cancelled.TRIED
        self._end(record, reason)
        return Cancelled.CANCELLED

    def _end(self, record: Record, reason: str) -> None:
        ledger, now = self.ledger, self.ledger.now
        for channel, delivery in record.deliveries.items():
            if delivery.state is DeliveryState.OPEN:
                text = "cancelled before it was sent"
                record.deliveries[channel] = DeliveryOutcome(channel, DeliveryState.F, "CANCELLED", text, now)
        note = Intervention(record.attempt, now, InterventionKind.CANCELLED, "", "", reason)
        record.interventions = (*record.interventions, note)
        place = (record.shard, record.lane, record.origin)
        if record.scheduled_at is None and record.due_at is None:
            ledger.backlogs[place].remove(record.new.message_id)
            if not ledger.backlogs[place]:
                for listing in (ledger.backlogs, ledger.released, ledger.stopped):
                    listing.pop(place, None)
        record.due_at = record.scheduled_at = record.not_before = record.why = record.payload = None
        record.forget_at = now + ledger.limits.retention
        ledger._count_message(record, open=-1, F=1)
        ledger._announce(record)

    async def standing(self, origin: Origin) -> Standing:
        """Count what an origin has open; of a merchant with all its batches."""
        await self.ledger.ping()
        due = sum(record.due_at is not None for record in self._open(origin))
        scheduled = sum(record.scheduled_at is not None for record in self._open(origin))
        return Standing(len(self._open(origin)) - due - scheduled, due, scheduled)

    def _open(self, origin: Origin) -> list[Record]:
        records = self.ledger.records.values()
        return [one for one in records if origin in one.origin.pausing and one.outcome().settled_at is None]

    async def cancel_all(self, origin: Origin, reason: str) -> AsyncIterator[Counter[Cancelled]]:
        """End what an origin has open and was not sent."""
        ids = [record.new.message_id for record in self._open(origin)]
        if ids:
            yield Counter(await self.cancel(origin.app_id, ids, reason))


@dataclass(frozen=True, slots=True)
class FakeUpkeep:
    """Implements `origin_ports.Upkeep`."""

    ledger: FakeLedger

    async def look_after(self) -> list[Hint]:
        """End what waits in vain; return hints of what is due by that."""
        await self.ledger.ping()
        overdue = {batch for (_, batch), until in self.ledger.staged.items() if until <= self.ledger.now}
        for batch in sorted(overdue, key=lambda batch: batch.text):
            await FakeBatches(self.ledger).withdraw(batch)
        self._wake()
        hints = [(shard, lane, self._expire(shard, lane)) for shard in range(self.ledger.shards) for lane in Lane]
        return [Hint(lane, shard, tuple(ids)) for shard, lane, ids in hints if ids]

    def _wake(self) -> None:
        ledger = self.ledger
        for message_id, record in ledger.records.items():
            if record.scheduled_at is not None and record.scheduled_at <= ledger.now:
                record.scheduled_at = None
                ledger._wait_in_backlog((record.shard, record.lane, record.origin), message_id)

    def _expire(self, shard: int, lane: Lane) -> list[str]:
        ledger = self.ledger
        looked_at = [place for place, at in ledger.stopped.items() if place[:2] == (shard, lane) and at <= ledger.now]
        moved: list[str] = []
        for place in sorted(looked_at, key=lambda place: (ledger.stopped[place], place[2].text))[:64]:
            staged = ledger.staged.get((shard, place[2]))
            expired = sum(self._record(one).expires_at <= ledger.now for one in ledger.backlogs[place])
            if staged is None:
                moved += ledger.take_out(place, min(expired, CHUNK - len(moved)))
            if place in ledger.backlogs:
                ledger.stopped[place] = staged or self._record(ledger.backlogs[place][0]).expires_at
            else:
                del ledger.stopped[place]
        return moved

    def _record(self, message_id: str) -> Record:
        return self.ledger.records[message_id]
