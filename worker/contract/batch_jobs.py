"""Batch jobs: batches that a merchant uploads in parts, and then runs, pauses and cancels as one.

The messages themselves are the ledger's; here is what the ledger does not know: the definition, the parts and the rows
that were rejected. Times are milliseconds of the ledger's clock since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from worker.contract.origins import Origin

MAX_ROWS = 1_000_000
"""Rows of a batch."""
MAX_PARTS = 1_000
MAX_PART_ROWS = 100_000
"""Rows of a part, its head and blank lines counted."""


class JobState(StrEnum):
    """What a batch's messages do; the texts are the store's."""

    HELD = "HELD"
    """They wait until the batch is run."""
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    """What was not sent has ended, for good."""


class Change(NamedTuple):
    """A change of state, and the states on which it may follow; nothing becomes HELD again."""

    state: JobState
    after: tuple[JobState, ...]


RUN = Change(JobState.RUNNING, (JobState.HELD,))
PAUSE = Change(JobState.PAUSED, (JobState.RUNNING,))
CANCEL = Change(JobState.CANCELLED, (JobState.HELD, JobState.RUNNING, JobState.PAUSED))
RESUME = Change(JobState.RUNNING, (JobState.PAUSED,))


class Created(IntEnum):
    """What became of a definition; the numbers are the script's return codes."""

    NEW = 1
    KNOWN = 2
    """The batch is there, with the same definition."""
    INCONSISTENT = 3
    """It is there with another one."""


class Begun(IntEnum):
    """Whether a part may be taken; the numbers are the script's return codes."""

    BEGUN = 1
    DONE = 2
    """The same part was taken before."""
    INCONSISTENT = 3
    """Another content came under its number."""
    TOO_MANY = 4
    """The batch would have more than MAX_ROWS."""
    ABSENT = 5
    CANCELLED = 6


class Moved(IntEnum):
    """What became of a change of state; the numbers are the script's return codes."""

    MOVED = 1
    """It is so, now or before."""
    REFUSED = 2
    """That can't follow on the state it has."""
    INCOMPLETE = 3
    """A part was begun and is not done."""
    EMPTY = 4
    """It has no part."""
    ABSENT = 5


class Upload(NamedTuple):
    """One upload of a part; of several the newest alone may write."""

    batch: Origin
    part: int
    upload_id: str
    """Random."""


class Extent(NamedTuple):
    """How large a part is."""

    rows: int
    """Those that are not blank, nor the head."""
    last: int
    """Number of the last one, blank ones and the head counted."""


class Rejected(NamedTuple):
    """A row that was not taken. Holds neither token nor text."""

    row: int
    """From 1; of CSV the head is row 1."""
    request_id: str
    """Empty where it could not be read."""
    code: str
    message: str


class Example(NamedTuple):
    """How many rows of a part are alike, and the first of them."""

    rows: int
    first: int
    message: str


@dataclass(frozen=True, slots=True)
class PartSummary:
    """What became of a part's rows; accepted + duplicate + rejected are all of them."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    codes: Mapping[str, Example] = field(default_factory=dict)
    """The rejected by resultCode."""
    remarks: Mapping[str, Example] = field(default_factory=dict)
    """The lint of what was accepted, by its text."""


@dataclass(frozen=True, slots=True)
class JobPart:
    """One part of a batch."""

    number: int
    sha256: str
    extent: Extent
    done_at: int | None
    """None: it was begun, and has to be uploaded again."""
    summary: PartSummary = field(default_factory=PartSummary)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A batch as it is defined, and how far it is."""

    origin: Origin
    definition: bytes
    """JSON: the fields that all rows have in common."""
    state: JobState
    version: int
    """Raised by each change of state."""
    created_at: int
    changed_at: int
    """When the state was changed last."""
    ended_before: int
    """Messages that had their outcome when it was run or resumed last."""
    parts: tuple[JobPart, ...]
    """By number."""
    carried_out: bool = False
    """Whether the ledger did what the state says."""
    settled_at: int | None = None
    """When it was first seen that all of its messages had their outcome: some seconds late, or None before."""

    @property
    def lacking(self) -> tuple[int, ...]:
        """The numbers of the parts that were begun and have to be uploaded again."""
        return tuple(part.number for part in self.parts if part.done_at is None)

    @property
    def received(self) -> PartSummary:
        """What became of the rows of all parts that are done, without their codes and remarks."""
        parts = [part.summary for part in self.parts]
        return PartSummary(
            sum(part.accepted for part in parts),
            sum(part.duplicate for part in parts),
            sum(part.rejected for part in parts),
        )


def place_of(part: int, row: int) -> int:
    """Return the number in the ledger of a row of a part: both count from 1."""
    return (part - 1) * MAX_PART_ROWS + row - 1


def row_of(place: int) -> tuple[int, int]:
    """Return the part and the row of a number that `place_of` gave."""
    return place // MAX_PART_ROWS + 1, place % MAX_PART_ROWS + 1
