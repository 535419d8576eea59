"""The figures of FakeLedger: counted from its records."""

from collections import Counter
from collections.abc import Iterable

from tests.fakes.callbacks import FakeCallbackOutbox
from tests.fakes.ledger import FakeLedger
from worker.contract.figures import CallbackFigures, Crowd, LedgerFigures, Missing, PausedKind
from worker.contract.messages import Lane


class FakeFigures:
    """Implements `ports.Figures`."""

    def __init__(self, ledger: FakeLedger, outbox: FakeCallbackOutbox | None = None) -> None:
        """Share the records of a fake ledger, and an outbox of its."""
        self.ledger = ledger
        self.outbox = outbox or FakeCallbackOutbox(ledger)

    async def read(self) -> LedgerFigures:
        """Return the figures of this moment."""
        records = self.ledger.records.values()
        due = [record.due_at for record in records if record.due_at is not None]
        backlogs = self.ledger.backlogs.items()
        return LedgerFigures(
            tallies=await self.ledger.tallies(),
            due=len(due),
            overdue=self._crowd(time for time in due if time <= self.ledger.now),
            waiting=sum(record.waits for record in records),
            backlogged={lane: sum(len(ids) for place, ids in backlogs if place[1] is lane) for lane in Lane},
            scheduled=sum(record.scheduled_at is not None for record in records),
            stopped={
                lane: sum(len(self.ledger.backlogs[place]) for place in self.ledger.stopped if place[1] is lane)
                for lane in Lane
            },
            paused={kind: self._paused(kind) for kind in PausedKind},
            unknown={
                Missing.OPEN: self._crowd(record.unanswered_since for record in records),
                Missing.DEAD: self._crowd(record.unknown_since for record in records),
            },
            dead=self._crowd(record.dead_at for record in records),
            callbacks=self._callbacks(),
            refused={},
            failing={},
        )

    def _paused(self, kind: PausedKind) -> Crowd:
        batches = kind is PausedKind.BATCH
        own = {key: at for key, at in self.ledger.paused.items() if bool(key[1].batch_id) is batches}
        return Crowd(len({origin for _, origin in own}), self._crowd(own.values()).oldest)

    def _callbacks(self) -> CallbackFigures:
        now, outbox = self.ledger.now, self.outbox
        due = [*self.ledger.outbox.values(), *(entry.due_at for entry in outbox.queues.values())]
        over = Counter((key.app_id, "delivered") for key in outbox.delivered)
        over.update((key.app_id, "dead") for key in outbox.dead)
        late = now - min((time for time in due if time <= now), default=now)
        return CallbackFigures(len(due), late, self._crowd(outbox.died.values()), dict(over))

    def _crowd(self, times: Iterable[int | None]) -> Crowd:
        known = [time for time in times if time is not None]
        return Crowd(len(known), self.ledger.now - min(known, default=self.ledger.now))
