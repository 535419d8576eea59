"""Callbacks: what a merchant registered to be told, what is due to be told, and what became of it.

A callback tells that a message is final, or how far a batch job is. It is named by the messageId and the message's
finality, as a replay opens it again; or by the batchId and the percentage. So a repeat has the same name, and the
merchant can tell it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from worker.contract.batch_jobs import JobState
from worker.contract.codes import ResultStatus
from worker.contract.origins import BatchTally
from worker.contract.outcomes import DeliveryOutcome, WholeOutcome

Outcomes: TypeAlias = frozenset[ResultStatus]
"""Of which outcomes a merchant is told; empty: of none."""
NO_OUTCOMES: Outcomes = frozenset()
EVERY_OUTCOME: Outcomes = frozenset(ResultStatus)


class SealedSecret(NamedTuple):
    """A signing secret, encrypted: see `worker.callbacks.secrets`."""

    sealed: str
    ends_at: int | None = None
    """Milliseconds since 1970 from which on nothing is signed with it; None: never."""


class Disabled(NamedTuple):
    """Since when, and why, a merchant is told nothing."""

    at: int
    """Milliseconds since 1970."""
    reason: str


GONE = "the receiver answered 410 Gone"


@dataclass(frozen=True, slots=True)
class CallbackRegistration:
    """Where the outcomes of an appId's messages are told."""

    app_id: str
    url: str
    outcomes: Outcomes
    secrets: tuple[SealedSecret, ...]
    """At least one, the newest last. Each that has not ended signs every callback."""
    disabled: Disabled | None = None

    @property
    def wanted(self) -> Outcomes:
        """The outcomes that it is told at present."""
        return NO_OUTCOMES if self.disabled else self.outcomes

    def disabled_by(self, disabled: Disabled) -> "CallbackRegistration":
        """Return it disabled."""
        return replace(self, disabled=disabled)

    def valid_secrets(self, now: int) -> tuple[SealedSecret, ...]:
        """Return what signs at a time; never empty, as the newest has no end."""
        return tuple(secret for secret in self.secrets if secret.ends_at is None or now < secret.ends_at)

    def rotated(self, sealed: str, now: int, overlap: int) -> "CallbackRegistration":
        """Return it with a newer secret; the others sign for `overlap` milliseconds more, and no longer."""
        end = now + overlap
        older = (one._replace(ends_at=end if one.ends_at is None else min(one.ends_at, end)) for one in self.secrets)
        kept = tuple(one for one in older if one.ends_at is not None and one.ends_at > now)
        return replace(self, secrets=(*kept, SealedSecret(sealed)))


@dataclass(frozen=True, slots=True)
class OutcomeKey:
    """Names the callback that tells of a final message."""

    app_id: str
    message_id: str
    finality: int
    """How often the message had become final by then, from 1."""

    @property
    def subject(self) -> str:
        """The id of what it tells of."""
        return self.message_id


@dataclass(frozen=True, slots=True)
class ProgressKey:
    """Names the callback that tells how far a batch job is."""

    app_id: str
    batch_id: str
    percentage: int
    """One of `contract.progress.THRESHOLDS`."""

    @property
    def subject(self) -> str:
        """The id of what it tells of."""
        return self.batch_id


CallbackKey: TypeAlias = OutcomeKey | ProgressKey
"""Names one callback."""


class CallbackState(StrEnum):
    """What became of a callback; the texts are the record's."""

    WAITING = "W"
    DELIVERED = "D"
    DEAD = "X"


class CallbackVerdict(StrEnum):
    """What happens to a callback after it was looked at; the texts are the settle script's arguments."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    BACK = "back"
    """It was not tried: nothing is noted."""


@dataclass(frozen=True, slots=True)
class FinalMessage:
    """What became of a message; times in milliseconds since 1970 of the ledger's clock."""

    key: OutcomeKey
    request_id: str
    taken_at: int
    expires_at: int
    deliveries: tuple[DeliveryOutcome, ...]
    batch_id: str = ""
    """The batch that the message came in; empty: none."""

    @property
    def whole(self) -> WholeOutcome:
        """The outcome of all channels together."""
        return WholeOutcome.of(self.deliveries, self.expires_at)

    @property
    def at(self) -> int:
        """When the message became final."""
        return max((one.at for one in self.deliveries if one.at is not None), default=self.taken_at)


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a batch job was when it was seen to have passed a percentage; times as of FinalMessage."""

    key: ProgressKey
    at: int
    """When it was seen."""
    created_at: int
    state: JobState
    tally: BatchTally


Told: TypeAlias = FinalMessage | BatchProgress
"""What a callback tells."""


class DueCallback(NamedTuple):
    """A callback in a worker's hands until its lease ends; times in milliseconds since 1970 of the ledger's clock."""

    told: Told
    lease_until: int
    """Fences its settlement: whoever takes it later has another."""
    since: int
    """When it was to be told first, or once more after a replay of the callback."""
    tries: int
    """How often the merchant was called since then."""

    @property
    def key(self) -> CallbackKey:
        """The name of the callback."""
        return self.told.key


class CallbackSettlement(NamedTuple):
    """The end of one look at a callback."""

    callback: DueCallback
    verdict: CallbackVerdict
    delay: int = 0
    """Milliseconds until it is looked at again, for RETRY and BACK."""
    tries: int = 0
    """Calls made meanwhile: 0 or 1."""
    detail: str = ""
    """What the merchant answered, such as `HTTP 500` or `TIMEOUT`; short, and without anything of the answer's body."""


class DeadCallback(NamedTuple):
    """A callback that was given up."""

    key: CallbackKey
    died_at: int
    request_id: str
    """Empty of a batch."""
    status: ResultStatus | None
    """The outcome that was to be told; None: the message is forgotten, or it is about a batch."""
    tries: int
    detail: str
    """What the merchant answered last."""
