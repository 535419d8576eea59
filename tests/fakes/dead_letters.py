"""Dead letters as a model on top of FakeLedger's records: plain loops over all of them."""

from collections.abc import Sequence
from dataclasses import replace

from tests.fakes.ledger import FakeLedger
from tests.fakes.record import Record
from worker.contract.dead_letters import (
    DeadChannel,
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Discarded,
    Position,
    Replayed,
    label,
)
from worker.contract.messages import DeliveryState
from worker.contract.outcomes import Intervention, InterventionKind
from worker.contract.payload import MaskedPayload, Payload


class FakeDeadLetters:
    """Implements `ports.DeadLetters`."""

    def __init__(self, ledger: FakeLedger) -> None:
        """Share the records of a fake ledger."""
        self.ledger = ledger

    async def now(self) -> int:
        """Return the ledger's time."""
        await self.ledger.ping()
        return self.ledger.now

    async def page(self, query: DeadLetterQuery, most: int, after: Position | None = None) -> DeadLetterPage:
        """Return the newest letters that the query finds, older than `after`."""
        await self.ledger.ping()
        letters = [letter for record in self.ledger.records.values() if (letter := dead_letter(record))]
        found = sorted((one for one in letters if fits(query, one)), key=_place, reverse=True)
        older = [one for one in found if after is None or _place(one) < (after.died_at, after.message_id)]
        return DeadLetterPage(tuple(older[:most]), older[most - 1].position if len(older) > most else None)

    async def find(self, message_ids: Sequence[str]) -> list[DeadLetter | None]:
        """Return each message as a dead letter, None for one that is none, in order."""
        await self.ledger.ping()
        records = (self.ledger.records.get(message_id) for message_id in message_ids)
        return [dead_letter(record) if record else None for record in records]

    async def contents(self, message_ids: Sequence[str]) -> list[MaskedPayload | None]:
        """Return what may be seen of each payload, None for one that is gone or unreadable, in order."""
        await self.ledger.ping()
        records = (self.ledger.records.get(message_id) for message_id in message_ids)
        return [_masked(record.payload if record else None) for record in records]

    async def replay(self, letters: Sequence[DeadLetter], run: str, deliver_within: int) -> list[Replayed]:
        """Open letters again, each once in a run however often it dies."""
        await self.ledger.ping()
        return [self._replay(one, run, deliver_within) for one in letters]

    def _replay(self, seen: DeadLetter, run: str, deliver_within: int) -> Replayed:
        record = self.ledger.records.get(seen.message_id)
        if record is None or record.lane is not seen.lane:
            return Replayed.REFUSED
        if run in record.runs:
            return Replayed(record.runs[run])
        letter = dead_letter(record)
        if letter is None:
            return Replayed.REFUSED
        if record.payload is None:
            return Replayed.EMPTY
        code = Replayed.SENT if letter.given_up else Replayed.SUPPRESSED
        self._note(record, InterventionKind.REPLAYED, code, run, "")
        record.reopened_until = self.ledger.now + deliver_within
        record.tries = record.crashes = record.lone = record.hints = 0
        record.alone = False
        record.not_before = None
        self._rehouse(record, letter)
        return code

    def _rehouse(self, record: Record, letter: DeadLetter) -> None:
        ledger = self.ledger
        if not letter.given_up:
            record.forget_at, record.payload = ledger.now + ledger.limits.retention, None
            return
        ledger._count_message(record, open=1, **{record.outcome().whole.status: -1})
        for channel in letter.given_up:
            before = record.deliveries[channel.channel]
            unknown = before.state is DeliveryState.U
            code, message, at = (before.code, before.message, before.at) if unknown else ("", "", None)
            record.deliveries[channel.channel] = replace(
                before, state=DeliveryState.OPEN, code=code, message=message, at=at
            )
        record.note_missing_answer(record.unknown_since or ledger.now)
        record.unknown_since = None
        place = (record.shard, record.lane, record.origin)
        record.waiting = False
        if ledger._may_pass(place):
            record.due_at = ledger.now
        else:
            ledger._wait_in_backlog(place, record.new.message_id)

    async def discard(self, letters: Sequence[DeadLetter], run: str, reason: str) -> list[Discarded]:
        """Let letters be forgotten after their retention; their outcomes stay."""
        await self.ledger.ping()
        return [self._discard(self.ledger.records.get(one.message_id), run, reason) for one in letters]

    def _discard(self, record: Record | None, run: str, reason: str) -> Discarded:
        if record is None:
            return Discarded.REFUSED
        if run in record.runs:
            return Discarded(record.runs[run])
        if dead_letter(record) is None:
            return Discarded.REFUSED
        self._note(record, InterventionKind.DISCARDED, Discarded.DONE, run, reason)
        record.forget_at, record.payload = self.ledger.now + self.ledger.limits.retention, None
        record.unknown_since = None
        return Discarded.DONE

    def _note(self, record: Record, kind: InterventionKind, code: int, run: str, reason: str) -> None:
        note = Intervention(record.attempt, self.ledger.now, kind, record.dead_cause, run, reason)
        record.interventions = (*record.interventions, note)
        record.runs = {run: code}
        record.dead_at, record.dead_cause = None, ""


def dead_letter(record: Record) -> DeadLetter | None:
    """Return a record as a dead letter, if it is one."""
    if record.dead_at is None:
        return None
    return DeadLetter(
        message_id=record.new.message_id,
        app_id=record.app_id,
        request_id=record.new.request_id,
        lane=record.lane,
        template_code=record.new.template_code,
        template_version=record.new.template_version,
        cause=record.dead_cause,
        died_at=record.dead_at,
        channels=tuple(
            DeadChannel(
                channel,
                delivery.state,
                label(delivery.code) if delivery.state in (DeliveryState.F, DeliveryState.U) else "",
                label(record.gateways.get(channel, "")),
            )
            for channel, delivery in record.deliveries.items()
        ),
    )


def fits(query: DeadLetterQuery, letter: DeadLetter) -> bool:
    """Say whether a query finds a letter."""
    wanted = (
        (query.app_id, letter.app_id),
        (query.request_id, letter.request_id),
        (query.template_code, letter.template_code),
        (query.cause, letter.cause),
    )
    from_, until = query.died_from or 0, letter.died_at if query.died_until is None else query.died_until
    return (
        all(value in (None, found) for value, found in wanted)
        and from_ <= letter.died_at <= until
        and (not _asks_of_channels(query) or any(_fits(query, channel) for channel in letter.given_up))
    )


def _asks_of_channels(query: DeadLetterQuery) -> bool:
    return (query.channel, query.code, query.gateway) != (None, None, None)


def _fits(query: DeadLetterQuery, channel: DeadChannel) -> bool:
    code, gateway = (None if text is None else label(text) for text in (query.code, query.gateway))
    wanted = ((query.channel, channel.channel), (code, channel.code), (gateway, channel.gateway))
    return all(value in (None, found) for value, found in wanted)


def _place(letter: DeadLetter) -> tuple[int, str]:
    return letter.died_at, letter.message_id


def _masked(packed: bytes | None) -> MaskedPayload | None:
    try:
        return None if packed is None else Payload.unpack(packed).masked()
    except ValueError:
        return None
