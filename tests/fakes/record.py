"""What FakeLedger knows of one message."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from worker.contract.callbacks import NO_OUTCOMES, Outcomes
from worker.contract.dead_letters import label
from worker.contract.messages import (
    LONE_CRASHES,
    Channel,
    Claim,
    DeliveryState,
    DeliveryUpdate,
    HintKind,
    Lane,
    NewMessage,
    Settlement,
    Verdict,
    WaitReason,
)
from worker.contract.origins import Origin
from worker.contract.outcomes import DeliveryOutcome, Intervention, MessageOutcome, Reason, TimelineEntry

KEPT_FIRST = 10
KEPT_LAST = 40
DIED = "a worker died or froze while it held the message"


@dataclass(slots=True)
class Record:
    """One message; times are milliseconds of the ledger's clock."""

    origin: Origin
    lane: Lane
    shard: int
    new: NewMessage
    taken_at: int
    deliveries: dict[Channel, DeliveryOutcome]
    payload: bytes | None
    told: Outcomes = NO_OUTCOMES
    finality: int = 0
    """How often it became final."""
    due_at: int | None = None
    """Its time in the due index; None: scheduled, in its backlog, or not open any more."""
    scheduled_at: int | None = None
    """When it is to be woken, while it is scheduled."""
    why: WaitReason | None = None
    """Why it is in the schedule, or was until it was woken; None once it was claimed."""
    waiting: bool = False
    """Settled to be retried and not swept since; counts while it is due."""
    attempt: int = 0
    tries: int = 0
    crashes: int = 0
    lone: int = 0
    """Crashes of claims of the message alone."""
    alone: bool = False
    """Whether the newest claim is of the message alone."""
    claim_id: str = ""
    claimed_at: int = 0
    lease: int = 0
    """When the newest claim's lease ends; 0 once that claim is settled."""
    not_before: int | None = None
    hints: int = 0
    """How often it was hinted since its newest claim."""
    gateways: dict[Channel, str] = field(default_factory=dict)
    dead_cause: str = ""
    dead_at: int | None = None
    unanswered_since: int | None = None
    """Since when an open channel's answer is missing."""
    unknown_since: int | None = None
    """The same of a dead letter with a U."""
    forget_at: int | None = None
    timeline: dict[int, TimelineEntry] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    """What the newest replay or discard answered, by its run."""
    interventions: tuple[Intervention, ...] = ()
    reopened_until: int | None = None
    """The deadline that the newest replay gave."""

    def __deepcopy__(self, _memo: object) -> "Record":
        """Return a copy that no change of this one reaches; what never changes is shared."""
        return replace(
            self,
            deliveries=dict(self.deliveries),
            gateways=dict(self.gateways),
            timeline=dict(self.timeline),
            runs=dict(self.runs),
        )

    @property
    def app_id(self) -> str:
        """Whose it is."""
        return self.origin.app_id

    @property
    def expires_at(self) -> int:
        """When the message expires."""
        if self.reopened_until is not None:
            return self.reopened_until
        if self.new.expire_at is not None:
            return self.new.expire_at
        return max(self.taken_at, self.new.send_at or 0) + self.new.deliver_within

    @property
    def occupies_window(self) -> bool:
        """Whether it was released and is neither final nor waiting for a retry."""
        return self.due_at is not None and not self.waiting

    @property
    def waits(self) -> bool:
        """Whether it is due for a retry and occupies no window."""
        return self.due_at is not None and self.waiting

    def held_by(self, claim_id: str, now: int) -> bool:
        """Whether a claim's lease is running."""
        return self.lease > now and self.claim_id == claim_id

    def may_be_claimed(self, now: int, kind: HintKind) -> bool:
        """Whether anybody may take it with a hint of the kind."""
        free = self.due_at is not None and self.lease <= now and (self.not_before or 0) <= now
        most = {HintKind.NORMAL: 0, HintKind.SUSPECTS: 1}.get(kind)
        return free and (most is None or self._crashes_if_over <= most)

    def belongs_in(self, kind: HintKind) -> bool:
        """Whether a sweep names it in a hint of the kind; its lease, if any, is over."""
        return kind is HintKind.of(self._crashes_if_over)

    @property
    def _crashes_if_over(self) -> int:
        return self.crashes + (self.lease > 0)

    def take(self, claim_id: str, now: int, lease: int, kind: HintKind) -> None:
        """Begin a new claim; one before it that was never settled was a crash."""
        if self.lease > 0:
            self._crash(now)
        self.alone = kind is HintKind.ALONE
        self.attempt += 1
        self.claim_id, self.claimed_at = claim_id, now
        self.lease = self.due_at = now + lease
        if self.not_before is not None or self.hints:
            self.why = None
        self.not_before, self.hints = None, 0

    def _crash(self, now: int) -> None:
        self.crashes += 1
        self.lone += self.alone
        for channel, delivery in self.deliveries.items():
            if delivery.state is DeliveryState.OPEN and delivery.code != "UNANSWERED":
                update = DeliveryUpdate(channel, DeliveryState.OPEN, "UNANSWERED", DIED)
                self.deliveries[channel] = _learnt(update, now)
        self.note_missing_answer(now)

    def note_missing_answer(self, since: int) -> None:
        """Keep the time since when an answer is missing, if one is."""
        reasons = {one.reason for one in self.deliveries.values() if one.state is DeliveryState.OPEN}
        missing = Reason.UNANSWERED in reasons
        self.unanswered_since = (self.unanswered_since or since) if missing else None

    def claim(self) -> Claim:
        """Return what the claim's holder gets."""
        assert self.payload is not None
        poison = self.lone >= LONE_CRASHES
        return Claim(
            message_id=self.new.message_id,
            claim_id=self.claim_id,
            attempt=self.attempt,
            tries=self.tries,
            crashes=self.crashes,
            taken_at=self.taken_at,
            claimed_at=self.claimed_at,
            expires_at=self.expires_at,
            deliveries={channel: _as_text(delivery) for channel, delivery in self.deliveries.items()},
            payload=b"" if poison else self.payload,
            app_id=self.app_id,
            lone=self.lone,
            gateways=dict(self.gateways),
        )

    def learn(self, settlement: Settlement, now: int) -> None:
        """Write down what a claim learnt, and end its lease."""
        notes = tuple(self._update(settlement, now))
        self.timeline[self.attempt] = TimelineEntry(self.attempt, self.claimed_at, now, settlement.worker, notes)
        if self.attempt - KEPT_LAST > KEPT_FIRST:
            self.timeline.pop(self.attempt - KEPT_LAST, None)
        since = self.unanswered_since or now
        unknown = DeliveryState.U in {one.state for one in self.deliveries.values()}
        self.unknown_since = since if unknown and settlement.verdict is Verdict.DEAD else None
        self.note_missing_answer(now)
        self.tries += settlement.tries
        self.lease = 0

    def _update(self, settlement: Settlement, now: int) -> Iterator[str]:
        updates = {update.channel: update for update in settlement.updates}
        for channel, before in self.deliveries.items():
            if channel in updates and before.state is DeliveryState.OPEN:
                if updates[channel].gateway:
                    self.gateways[channel] = label(updates[channel].gateway)
                self.deliveries[channel] = _learnt(updates[channel], now)
                yield f"{channel}={updates[channel].state}:{updates[channel].code}"

    def outcome(self) -> MessageOutcome:
        """Return what a look-up answers."""
        return MessageOutcome(
            message_id=self.new.message_id,
            app_id=self.app_id,
            request_id=self.new.request_id,
            client_id=self.new.client_id,
            lane=self.lane,
            template_code=self.new.template_code,
            template_version=self.new.template_version,
            language=self.new.language,
            taken_at=self.taken_at,
            expires_at=self.expires_at,
            deliveries=tuple(self.deliveries.values()),
            attempts=self.attempt,
            tries=self.tries,
            crashes=self.crashes,
            next_at=self.not_before,
            waits_for=None if self.not_before is None else self.why or WaitReason.RETRY,
            dead_cause=self.dead_cause,
            timeline=tuple(self.timeline[attempt] for attempt in sorted(self.timeline)),
            interventions=self.interventions,
        )


def first_deliveries(new: NewMessage) -> dict[Channel, DeliveryOutcome]:
    """Return the channels of a message just taken: open, or skipped where the user opted out."""
    states = dict.fromkeys(new.skipped, DeliveryState.SKIPPED) | dict.fromkeys(new.channels, DeliveryState.OPEN)
    return {name: DeliveryOutcome(name, states[name], "", "", None) for name in Channel if name in states}


def _learnt(update: DeliveryUpdate, now: int) -> DeliveryOutcome:
    return DeliveryOutcome(update.channel, update.state, update.code, update.message if update.code else "", now)


def _as_text(delivery: DeliveryOutcome) -> str:
    parts = [delivery.state.value]
    if delivery.at is not None:
        parts.append(str(delivery.at))
    if delivery.code:
        parts += [delivery.code, delivery.message]
    return "|".join(parts)
