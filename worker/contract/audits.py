"""What an audit of the ledger finds: each message beside its home, and the faults of a shard (DESIGN 1, 7). Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from worker.contract.callback_audits import MisplacedCallback
from worker.contract.counting import BatchMiscount, Miscount


class Fault(StrEnum):
    """How a message's home contradicts its record."""

    HOMELESS = "open, but neither due nor scheduled nor in a backlog"
    TWO_HOMES = "more than one of due, scheduled and in a backlog"
    LEFT_BEHIND = "final, but still due, scheduled or in a backlog"
    NO_RECORD = "due, scheduled, in a backlog or in another index, but without a record"
    OVERSTAYED = "in a merchant's window or said to wait, but not due there"
    NOT_INDEXED = "missing in an index that its record asks for"
    INDEXED_STILL = "in an index that its record does not ask for"


@dataclass(frozen=True, slots=True)
class Home:
    """What was found of one message."""

    recorded: bool
    open: bool
    """Some channel has no outcome yet."""
    due: bool
    backlogged: bool
    windowed: bool = False
    """It occupies a place in its merchant's window."""
    waiting: bool = False
    """It is among what waits for a retry."""
    strayed: bool = False
    """It is in a window, or waits, as another merchant's or in another lane."""
    unlisted: bool = False
    """An index of those that miss an answer, are dead letters, are to be forgotten or are rows of a batch lacks it."""
    listed_still: bool = False
    """Such an index names it, though its record does not ask for that."""
    scheduled: bool = False
    """It waits for its time."""

    @property
    def fault(self) -> Fault | None:
        """What is wrong, if anything: an open message has exactly one home, a final one has none."""
        homes = (self.due, self.backlogged, self.scheduled)
        if sum(homes) > 1:
            return Fault.TWO_HOMES
        housed = any(homes)
        if (housed or self._placed or self.strayed or self.listed_still) and not self.recorded:
            return Fault.NO_RECORD
        if housed and not self.open:
            return Fault.LEFT_BEHIND
        if self.open and not housed:
            return Fault.HOMELESS
        return self._fault_of_indexes

    @property
    def _placed(self) -> bool:
        return self.windowed or self.waiting

    @property
    def _fault_of_indexes(self) -> Fault | None:
        if self.strayed or (self._placed and not self.due):
            return Fault.OVERSTAYED
        if self.unlisted or (self.due and not self._placed):
            return Fault.NOT_INDEXED
        return Fault.INDEXED_STILL if self.listed_still or (self.windowed and self.waiting) else None


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A message whose home contradicts its record."""

    message_id: str
    app_id: str
    """Empty without a record."""
    request_id: str
    """Empty without a record."""
    fault: Fault


@dataclass(frozen=True, slots=True)
class ShardAudit:
    """What an audit says of one shard, or of what is told of batch jobs, which have no shard and no records."""

    shard: int | Literal["jobs"]
    records: int
    """How many records were read."""
    miscounts: tuple[Miscount, ...] = ()
    misplaced: tuple[Misplaced, ...] = ()
    batches: tuple[BatchMiscount, ...] = ()
    callbacks: tuple[MisplacedCallback, ...] = ()
    unlisted: tuple[str, ...] = ()
    """The appIds whose queue of callbacks no index names, so that nobody looks at it."""

    @property
    def clean(self) -> bool:
        """Whether everything agrees."""
        return not (self.miscounts or self.misplaced or self.batches or self.callbacks or self.unlisted)
