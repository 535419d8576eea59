"""The ledger as a model: dictionaries, a clock in the test's hand, and the rules of DESIGN 1-9 as plainly as they go.

What it answers is what the ledger in Redis must answer; `tests/conformance` and the state machine hold both to it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from tests.fakes.record import Record, first_deliveries
from worker.adapters.redis.limits import LedgerLimits
from worker.batching import chunks
from worker.contract.callbacks import NO_OUTCOMES, OutcomeKey, Outcomes
from worker.contract.dead_letters import label
from worker.contract.errors import LedgerUnavailableError
from worker.contract.identity import shard_of
from worker.contract.messages import (
    Acceptance,
    Channel,
    Claim,
    DeliveryState,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
    Settled,
    Settlement,
    Verdict,
    WaitReason,
)
from worker.contract.origins import NO_BATCH, BatchPart, BatchStart, BatchTally, Decision, Origin
from worker.contract.outcomes import MessageOutcome, Tally, WholeOutcome
from worker.ports import Probe, ShardLane

CHUNK = 200
NEW = {Acceptance.DUE, Acceptance.BACKLOGGED, Acceptance.SCHEDULED}
QUANTUM = 50

Place = tuple[int, Lane, Origin]
"""Shard, lane and origin: what has a backlog of its own."""


class FakeLedger:
    """Implements `ports.Ledger` and `ports.Records`. A test sets `now` (milliseconds), and `away` to have it fail."""

    def __init__(self, limits: LedgerLimits | None = None, shards: int = 2, now: int = 1_700_000_000_000) -> None:
        """Start empty."""
        self.now = now
        self.away = False
        self.limits = limits or LedgerLimits()
        self.shards = shards
        self.records: dict[str, Record] = {}
        self.backlogs: dict[Place, list[str]] = {}
        """Messages by their deadlines, those of one deadline by their ids."""
        self.released: dict[Place, int] = {}
        """Messages released so far from each backlog that is not paused: the least served is next."""
        self.stopped: dict[Place, int] = {}
        """When to look for what is past its deadline in each backlog that is paused."""
        self.paused: dict[tuple[int, Origin], int] = {}
        """Since when, by shard."""
        self.started: dict[tuple[int, Origin], int] = {}
        self.closed: set[tuple[int, Origin]] = set()
        """Batches that were resumed, and when, by shard."""
        self.staged: dict[tuple[int, Origin], int] = {}
        """Until when, by shard."""
        self.decisions: dict[Origin, Decision] = {}
        self.batch_tallies: dict[tuple[int, Origin], BatchTally] = {}
        """By shard: each forgets its share of a batch as a whole."""
        self.forgotten: Counter[tuple[str, Channel]] = Counter()
        self.outbox: dict[OutcomeKey, int] = {}
        """What merchants are to be told, and since when."""

    async def accept(
        self,
        app_id: str,
        lane: Lane,
        messages: Sequence[NewMessage],
        told: Outcomes = NO_OUTCOMES,
        part: BatchPart = NO_BATCH,
    ) -> list[Acceptance]:
        """Take new messages; one Acceptance each, in order. Their merchant is called back for the outcomes `told`."""
        await self.ping()
        answers: dict[int, Acceptance] = {}
        for shard in range(self.shards):
            own = [index for index, one in enumerate(messages) if shard_of(one.message_id, self.shards) == shard]
            origin = Origin(app_id, part.batch_id)
            begun = bool(own and part.batch_id) and self._begin(shard, origin, part.start)
            answers |= {index: self._accept(origin, lane, messages[index], told) for index in own}
            if begun and {answers[index] for index in own}.isdisjoint(NEW):
                del self.paused[shard, origin]
                self.staged.pop((shard, origin), None)
        return [answers[index] for index in range(len(messages))]

    def _accept(self, origin: Origin, lane: Lane, new: NewMessage, told: Outcomes) -> Acceptance:
        shard = shard_of(new.message_id, self.shards)
        known = self.records.get(new.message_id)
        if known is not None:
            return self._compare(known, new.fingerprint, new.user, origin)
        record = Record(origin, lane, shard, new, self.now, first_deliveries(new), new.payload, told=told)
        place = (shard, lane, origin)
        has_room = self._may_pass(place)
        self.records[new.message_id] = record
        if (new.send_at or 0) > self.now:
            record.scheduled_at = record.not_before = new.send_at
            record.why = WaitReason.SCHEDULE
            self._count_message(record, taken=1, open=1)
            return Acceptance.SCHEDULED
        self._count_message(record, taken=1, open=1)
        if has_room:
            record.due_at = self.now + self.limits.grace
            return Acceptance.DUE
        self._wait_in_backlog(place, new.message_id)
        return Acceptance.BACKLOGGED

    def _begin(self, shard: int, batch: Origin, start: BatchStart) -> bool:
        """Pause or stage a batch that is new in a shard; say whether it was not paused before."""
        first = all((record.shard, record.origin) != (shard, batch) for record in self.records.values())
        staged = start is BatchStart.STAGED and (first or (shard, batch) in self.staged)
        if staged:
            self.staged[shard, batch] = self.now + self.limits.staging
        if not staged and not (start is BatchStart.PAUSED and first and (shard, batch) not in self.started):
            return False
        before = len(self.paused)
        self.paused.setdefault((shard, batch), self.now)
        return len(self.paused) > before

    def _count_message(self, record: Record, **moved: int) -> None:
        if record.origin.batch_id:
            key = record.shard, record.origin
            self.batch_tallies[key] = self.batch_tallies.get(key, BatchTally()) + BatchTally(**moved)

    def _may_pass(self, place: Place) -> bool:
        return not self.is_paused(*place[::2]) and place not in self.backlogs and self._room(place) > 0

    def is_paused(self, shard: int, origin: Origin) -> bool:
        """Say whether nothing of an origin is sent in a shard."""
        return any((shard, one) in self.paused for one in origin.pausing)

    def _wait_in_backlog(self, place: Place, message_id: str) -> None:
        waiting = self.backlogs.setdefault(place, [])
        waiting.append(message_id)
        waiting.sort(key=lambda one: (self.records[one].expires_at, one))
        if self.is_paused(*place[::2]):
            earliest = self.records[waiting[0]].expires_at
            self.stopped[place] = min(self.stopped.get(place, earliest), earliest)
        else:
            self.list_backlog(place)

    def list_backlog(self, place: Place) -> None:
        """Let a backlog have its turns, beside the least served."""
        others = (served for other, served in self.released.items() if other[:2] == place[:2])
        self.released.setdefault(place, min(others, default=0))

    def _room(self, place: Place) -> int:
        shard, lane, origin = place
        own = [
            one for one in self.records.values() if (one.shard, one.lane, one.app_id) == (shard, lane, origin.app_id)
        ]
        if sum(record.waits for record in own) >= self.limits.waiting:
            return 0
        return self.limits.window(lane) - sum(record.occupies_window for record in own)

    async def probe(self, probes: Sequence[Probe]) -> list[Acceptance]:
        """Say of each REPEATED, INCONSISTENT or ABSENT, in order."""
        await self.ping()
        return [self._probe(probe) for probe in probes]

    def _probe(self, probe: Probe) -> Acceptance:
        known = self.records.get(probe.message_id)
        if known is None:
            return Acceptance.ABSENT
        return self._compare(known, probe.fingerprint, probe.user or known.new.user, Origin(known.app_id))

    def _compare(self, known: Record, fingerprint: str, user: str, origin: Origin) -> Acceptance:
        if known.origin != origin and (known.shard, known.origin) in self.staged:
            return Acceptance.STAGED
        same = (known.new.fingerprint, known.new.user) == (fingerprint, user)
        return Acceptance.REPEATED if same else Acceptance.INCONSISTENT

    async def claim(
        self,
        shard: int,
        message_ids: Sequence[str],
        claim_id: str,
        kind: HintKind = HintKind.NORMAL,
    ) -> list[Claim]:
        """Take what is open, due, not leased and of the kind. The same claim_id asked again gets the same answer."""
        await self.ping()
        named = [self.records[message_id] for message_id in dict.fromkeys(message_ids) if message_id in self.records]
        return [record.claim() for record in named if record.shard == shard and self._take(record, claim_id, kind)]

    def _take(self, record: Record, claim_id: str, kind: HintKind) -> bool:
        if record.held_by(claim_id, self.now):
            return True
        if not record.may_be_claimed(self.now, kind):
            return False
        record.take(claim_id, self.now, self.limits.lease, kind)
        return True

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Extend the leases of claims still held; False where another claim has the message."""
        await self.ping()
        return [self._renew(claim) for claim in claims]

    def _renew(self, claim: Claim) -> bool:
        record = self._of(claim)
        if record is None or not record.lease:
            return False
        record.lease = record.due_at = self.now + self.limits.lease
        return True

    def _of_shard(self, shard: int) -> list[Record]:
        return [record for record in self.records.values() if record.shard == shard]

    def _of(self, claim: Claim | GatewayNote | Settlement) -> Record | None:
        """Return the record if this is its newest claim."""
        record = self.records.get(claim.message_id)
        if record is None or (record.claim_id, record.attempt) != (claim.claim_id, claim.attempt):
            return None
        return record

    async def note_gateways(self, notes: Sequence[GatewayNote]) -> list[bool]:
        """Write down which gateways are about to be asked; False where another claim has the message."""
        await self.ping()
        return [self._note(note) for note in notes]

    def _note(self, note: GatewayNote) -> bool:
        record = self._of(note)
        if record is None or not record.lease:
            return False
        record.gateways.update((channel, label(name)) for channel, name in note.gateways.items())
        return True

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Record outcomes, each only if its claim still holds the message."""
        await self.ping()
        return [self._settle(settlement) for settlement in settlements]

    def _settle(self, settlement: Settlement) -> Settled:
        record = self._of(settlement)
        if record is None:
            return Settled.STALE
        if not record.lease:
            return Settled.ALREADY
        record.learn(settlement, self.now)
        if settlement.verdict is Verdict.RETRY:
            record.due_at = record.not_before = self.now + settlement.delay
            record.waiting = True
        elif settlement.verdict is Verdict.DEFER:
            at = min(self.now + settlement.delay, record.expires_at)
            record.due_at, record.waiting = None, False
            record.scheduled_at = record.not_before = at
            record.why = WaitReason(settlement.cause)
        else:
            self._close(record, settlement)
        return Settled.DONE

    def _close(self, record: Record, settlement: Settlement) -> None:
        record.due_at = None
        self._count_message(record, open=-1, **{record.outcome().whole.status: 1})
        self._announce(record)
        if settlement.verdict is Verdict.DEAD:
            record.dead_at, record.dead_cause = self.now, settlement.cause
            return
        record.forget_at = self.now + self.limits.retention
        states = {delivery.state for delivery in record.deliveries.values()}
        if states <= {DeliveryState.S, DeliveryState.SKIPPED}:
            record.payload = None

    def _announce(self, record: Record) -> None:
        if record.told:
            record.finality += 1
            if record.outcome().whole.status in record.told:
                self.outbox[OutcomeKey(record.app_id, record.new.message_id, record.finality)] = self.now

    async def sweep(self) -> list[Hint]:
        """Re-score overdue messages to a later time and return them as hints; suspects are hinted apart."""
        await self.ping()
        return [hint for shard in range(self.shards) for hint in self._sweep_shard(shard)]

    def _sweep_shard(self, shard: int) -> list[Hint]:
        timed = [(record.due_at, record) for record in self._of_shard(shard)]
        overdue = _first(self.limits.sweep_size, self.now, timed)
        swept = [record for record in overdue if not self._rests(record)]
        for record in overdue:
            if self._rests(record):
                record.due_at = min(self.now + self.limits.longest_grace, record.expires_at)
        for record in swept:
            record.due_at = self.now + min(self.limits.grace * 2**record.hints, self.limits.longest_grace)
            record.hints += 1
            record.waiting = False
        return [hint for kind, lane in product(HintKind, Lane) for hint in _hints(lane, shard, swept, kind)]

    def _rests(self, record: Record) -> bool:
        if record.expires_at <= self.now:
            return False
        closed = (record.shard, record.origin) in self.closed and (
            record.shard,
            Origin(record.app_id),
        ) not in self.paused
        tried = record.lease or record.tries or record.crashes
        return self.is_paused(record.shard, record.origin) and not (closed and tried)

    async def release(self, places: Sequence[ShardLane]) -> list[Hint]:
        """Move messages from the backlogs of places to their due indexes, round robin between a place's origins."""
        await self.ping()
        hints = ((place, self._release_place(place)) for place in places)
        return [Hint(lane, shard, tuple(ids)) for (shard, lane), ids in hints if ids]

    def _release_place(self, shard_lane: ShardLane) -> list[str]:
        places = [place for place in self.released if place[:2] == shard_lane]
        quantum = max(QUANTUM, CHUNK // max(1, len(places)))
        released: list[str] = []
        for place in sorted(places, key=lambda place: (self.released[place], place[2].text)):
            released += self._release(place, min(quantum, CHUNK - len(released)))
        return released

    def _release(self, place: Place, most: int) -> list[str]:
        expired = sum(self.records[one].expires_at <= self.now for one in self.backlogs[place])
        room = self._room(place)
        if room < min(self.limits.window(place[1]) / 4, len(self.backlogs[place])):
            room = 0
        ids = self.take_out(place, max(0, min(max(room, expired), most)))
        self.released[place] += len(ids)
        if place not in self.backlogs:
            del self.released[place]
        return ids

    def take_out(self, place: Place, number: int) -> list[str]:
        """Make the first messages of a backlog due."""
        ids, left = self.backlogs[place][:number], self.backlogs[place][number:]
        for message_id in ids:
            self.records[message_id].due_at = self.now + self.limits.grace
        self.backlogs[place] = left
        if not left:
            del self.backlogs[place]
        return ids

    async def backlogged(self) -> list[ShardLane]:
        """Return the places that have a backlog."""
        await self.ping()
        found = {place[:2] for place in self.released}
        return [(shard, lane) for lane in Lane for shard in range(self.shards) if (shard, lane) in found]

    async def forget(self) -> int:
        """Erase messages past their retention, at most a chunk per shard; return how many."""
        await self.ping()
        return sum(self._forget_shard(shard) for shard in range(self.shards))

    def _forget_shard(self, shard: int) -> int:
        erased = _first(CHUNK, self.now, [(record.forget_at, record) for record in self._of_shard(shard)])
        for record in erased:
            del self.records[record.new.message_id]
            self.forgotten.update((record.app_id, channel) for channel in record.new.channels)
            self._count_message(record, forgotten=1, **{record.outcome().whole.status: -1})
            tally = self.batch_tallies.get((shard, record.origin))
            if tally is not None and tally.taken == tally.forgotten:
                del self.batch_tallies[shard, record.origin]
        return len(erased)

    async def find(self, message_ids: Sequence[str]) -> list[MessageOutcome | None]:
        """Return everything known of each message, None for one never seen, in order."""
        await self.ping()
        found = (self.records.get(message_id) for message_id in message_ids)
        return [record.outcome() if record else None for record in found]

    async def statuses(self, message_ids: Sequence[str]) -> list[WholeOutcome | None]:
        """Return the whole outcome of each message, None for one never seen, in order."""
        return [outcome.whole if outcome else None for outcome in await self.find(message_ids)]

    async def tallies(self) -> dict[tuple[str, Channel], Tally]:
        """Return the counts by appId and channel, counted anew from the records."""
        await self.ping()
        totals: dict[tuple[str, Channel], Tally] = defaultdict(Tally)
        for place, number in self.forgotten.items():
            totals[place] += Tally(accepted=number, forgotten=number)
        for record in self.records.values():
            for channel in record.new.channels:
                state = record.deliveries[channel].state
                field = "open" if state is DeliveryState.OPEN else state.value
                totals[record.app_id, channel] += Tally(**{"accepted": 1, field: 1})
        return dict(totals)

    async def ping(self) -> None:
        """Return, or raise LedgerUnavailableError while `away`."""
        if self.away:
            raise LedgerUnavailableError("the fake ledger is away; set `away` to False")


def _first(most: int, now: int, timed: Iterable[tuple[int | None, Record]]) -> list[Record]:
    """Return the records whose time has come, the earliest first."""
    come = sorted((time, record.new.message_id, record) for time, record in timed if time is not None and time <= now)
    return [record for _, _, record in come[:most]]


def _hints(lane: Lane, shard: int, records: Sequence[Record], kind: HintKind) -> Iterator[Hint]:
    wanted = [record for record in records if record.lane is lane and record.belongs_in(kind)]
    ids = [record.new.message_id for record in wanted]
    return (Hint(lane, shard, tuple(chunk), kind) for chunk in chunks(ids, kind.most))
