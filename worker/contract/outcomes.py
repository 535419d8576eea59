"""What a look-up answers: each channel's outcome, the whole's, and how it came about (CONTRACT R70, R73)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, DeliveryState, Lane, WaitReason


class Reason(StrEnum):
    """Why an outcome is U."""

    OPEN = "OPEN"
    """On its way: queued, being sent, or waiting for its next try."""
    UNANSWERED = "UNANSWERED"
    """A gateway's answer never came."""


_STATUSES = {
    DeliveryState.OPEN: ResultStatus.U,
    DeliveryState.S: ResultStatus.S,
    DeliveryState.F: ResultStatus.F,
    DeliveryState.U: ResultStatus.U,
    DeliveryState.SKIPPED: None,
}


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """One channel of a message."""

    channel: Channel
    state: DeliveryState
    code: str
    """The gateway's or our code of the newest answer; empty at S and before the first answer."""
    message: str
    at: int | None
    """Milliseconds since 1970 of the newest answer."""

    @property
    def status(self) -> ResultStatus | None:
        """S, U or F; None for a channel the user opted out of (R73)."""
        return _STATUSES[self.state]

    @property
    def reason(self) -> Reason | None:
        """Why the channel is U; None when it isn't."""
        if self.status is not ResultStatus.U:
            return None
        return Reason.UNANSWERED if self.code == Reason.UNANSWERED else Reason.OPEN

    def settled_by(self, expires_at: int) -> int | None:
        """Return when it has its outcome at the latest, given its message's deadline; None when it is not open."""
        return expires_at if self.state is DeliveryState.OPEN else None


@dataclass(frozen=True, slots=True)
class WholeOutcome:
    """The message as a whole: U while any channel is U, S when all are S, else F (R73)."""

    status: ResultStatus
    reason: Reason | None
    partial: bool
    """F, but some channel has S."""
    settled_by: int | None
    """The deadline of an open channel, in milliseconds since 1970; None: none is open, so a U is U for good.

    A call under way at the deadline is still waited for.
    """

    @classmethod
    def of(cls, deliveries: Sequence[DeliveryOutcome], expires_at: int) -> "WholeOutcome":
        """Judge the channels together; a skipped one counts for nothing."""
        statuses = [delivery.status for delivery in deliveries if delivery.state is not DeliveryState.SKIPPED]
        if ResultStatus.U in statuses:
            unknown = [delivery for delivery in deliveries if delivery.status is ResultStatus.U]
            unanswered = any(delivery.reason is Reason.UNANSWERED for delivery in unknown)
            reason = Reason.UNANSWERED if unanswered else Reason.OPEN
            times = (delivery.settled_by(expires_at) for delivery in unknown)
            return cls(ResultStatus.U, reason, partial=False, settled_by=max(filter(None, times), default=None))
        delivered = statuses.count(ResultStatus.S)
        if delivered == len(statuses):
            return _DELIVERED
        return cls(ResultStatus.F, None, partial=delivered > 0, settled_by=None)


_DELIVERED = WholeOutcome(ResultStatus.S, None, partial=False, settled_by=None)


def settled_at(deliveries: Sequence[DeliveryOutcome]) -> int | None:
    """Return when the last channel got its outcome; None while one is open."""
    latest = None
    for delivery in deliveries:
        if delivery.state is DeliveryState.OPEN:
            return None
        if delivery.at is not None and (latest is None or delivery.at > latest):
            latest = delivery.at
    return latest


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One attempt, from claim to settlement; times in milliseconds since 1970."""

    attempt: int
    claimed_at: int
    settled_at: int
    worker: str
    results: tuple[str, ...]
    """What was learnt of each channel, such as `PUSH=S:` or `INBOX=O:UNANSWERED`."""


class InterventionKind(StrEnum):
    """What people do to a message; the texts are the record's."""

    REPLAYED = "REPLAYED"
    DISCARDED = "DISCARDED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Intervention:
    """One replay, discard or cancel, between two attempts."""

    after_attempt: int
    at: int
    """Milliseconds since 1970."""
    kind: InterventionKind
    cause: str
    """The DeadCause of the letter until then; empty at a cancel."""
    run: str
    """Which run of replay or discard it was; empty at a cancel."""
    reason: str
    """Why it was discarded or cancelled; empty at a replay."""


@dataclass(frozen=True, slots=True)
class MessageOutcome:
    """Everything that is known of one message; times in milliseconds since 1970."""

    message_id: str
    app_id: str
    request_id: str
    client_id: str
    lane: Lane
    template_code: str
    template_version: int
    language: str
    taken_at: int
    expires_at: int
    deliveries: tuple[DeliveryOutcome, ...]
    attempts: int
    tries: int
    crashes: int
    next_at: int | None
    """When the next try is due, for a message that waits."""
    dead_cause: str
    """A DeadCause, or empty."""
    timeline: tuple[TimelineEntry, ...]
    interventions: tuple[Intervention, ...] = ()
    """Replays, discards and a cancel, the earliest first."""
    waits_for: WaitReason | None = None
    """What it waits for until `next_at`."""

    @property
    def whole(self) -> WholeOutcome:
        """The outcome of all channels together."""
        return WholeOutcome.of(self.deliveries, self.expires_at)

    @property
    def settled_at(self) -> int | None:
        """When the last channel got its outcome; None while one is open."""
        return settled_at(self.deliveries)


@dataclass(frozen=True, slots=True)
class Tally:
    """Deliveries of one appId and channel; accepted = S + F + U + open + forgotten (DESIGN 7)."""

    accepted: int = 0
    S: int = 0
    F: int = 0
    U: int = 0
    open: int = 0
    forgotten: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every accepted delivery is accounted for."""
        return self.accepted == self.S + self.F + self.U + self.open + self.forgotten

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum, field by field."""
        return Tally(
            self.accepted + other.accepted,
            self.S + other.S,
            self.F + other.F,
            self.U + other.U,
            self.open + other.open,
            self.forgotten + other.forgotten,
        )
