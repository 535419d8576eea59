"""What the ledger says of itself at one moment, as metrics show it: numbers and ages, never a message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from worker.contract.counting import Tallies
from worker.contract.messages import Lane
from worker.contract.rates import LimitedBy


class Missing(StrEnum):
    """Whose gateway's answer is missing."""

    OPEN = "open"
    """A message that is tried again until its deadline."""
    DEAD = "dead"
    """A dead letter: U for good, until it is replayed or discarded."""


class PausedKind(StrEnum):
    """What is paused."""

    MERCHANT = "merchant"
    BATCH = "batch"
    """By itself: staged, not run yet, or paused since."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Some messages, and how long the first of them has been there."""

    number: int = 0
    oldest: int = 0
    """Milliseconds; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class CallbackFigures:
    """The callbacks in numbers."""

    waiting: int = 0
    """Neither delivered nor given up."""
    late: int = 0
    """Milliseconds since when the first of those whose time has come waits for a worker."""
    dead: Crowd = Crowd()
    over: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many are over, by appId and end: delivered or dead. A replayed one ends once more."""


@dataclass(frozen=True, slots=True)
class LedgerFigures:
    """The whole ledger in numbers; each is of a slightly other moment than the next."""

    tallies: Tallies
    due: int
    """Messages in the due index: hinted, in a worker's hands, or waiting for a retry."""
    overdue: Crowd
    """Those of them whose time has come, since when the first of them waits for a sweeper."""
    waiting: int
    """Those of them that wait for a retry, outside their merchant's window."""
    backlogged: Mapping[Lane, int]
    scheduled: int
    """Messages that wait for their time, or for the end of a user's quiet hours."""
    stopped: Mapping[Lane, int]
    """Those of them that are paused."""
    paused: Mapping[PausedKind, Crowd]
    """Merchants and batches that are paused, and since when the first of each."""
    unknown: Mapping[Missing, Crowd]
    dead: Crowd
    callbacks: CallbackFigures
    refused: Mapping[tuple[LimitedBy, str], int]
    """Sends that each rate limit refused (R36)."""
    failing: Mapping[str, int]
    """Gateways whose breaker is open or half-open, and for how many milliseconds it has not been closed."""
