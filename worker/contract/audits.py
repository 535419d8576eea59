"""What an audit of the ledger compares: counters with records, each message with its home (DESIGN 1, 7). Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TypeAlias

from worker.contract.messages import Channel
from worker.contract.outcomes import Tally

Tallies: TypeAlias = Mapping[tuple[str, Channel], Tally]
"""Deliveries by appId and channel."""

_FORGOTTEN = "forgotten"


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
    """It misses an answer, and the index of such messages does not name it."""
    listed_still: bool = False
    """That index names it, though it misses none."""
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
class Miscount:
    """A counter that the records contradict, in one shard."""

    app_id: str
    channel: Channel
    status: str
    """A field of `Tally`; at `accepted` both numbers are without the forgotten ones, which have no record."""
    counted: int
    found: int


@dataclass(frozen=True, slots=True)
class ShardAudit:
    """What an audit says of one shard."""

    shard: int
    records: int
    """How many records were read."""
    miscounts: tuple[Miscount, ...]
    misplaced: tuple[Misplaced, ...]

    @property
    def clean(self) -> bool:
        """Whether everything agrees."""
        return not self.miscounts and not self.misplaced


def miscounts(before: Tallies, found: Tallies, after: Tallies) -> Iterator[Miscount]:
    """Yield the counters that the records contradict.

    Records can't be read all at one instant. So the counters are read before and after them, and a number may be off by
    as many deliveries as moved meanwhile; in a ledger at rest by none.
    """
    for app_id, channel in sorted({*before, *found, *after}):
        place = app_id, channel
        first, last = (_remembered(tallies.get(place, Tally())) for tallies in (before, after))
        moved = _moved(before.get(place, Tally()), after.get(place, Tally()))
        seen = found.get(place, Tally())
        for status in (field.name for field in fields(Tally) if field.name != _FORGOTTEN):
            low, high = sorted((getattr(first, status), getattr(last, status)))
            number = getattr(seen, status)
            if not low - moved <= number <= high + moved:
                yield Miscount(app_id, channel, status, getattr(last, status), number)


def _remembered(tally: Tally) -> Tally:
    return tally + Tally(accepted=-tally.forgotten)


def _moved(before: Tally, after: Tally) -> int:
    """Return how many deliveries were accepted, settled or forgotten between two readings of the counters."""
    settled = [tally.accepted - tally.open for tally in (before, after)]
    pairs = [(before.accepted, after.accepted), (before.forgotten, after.forgotten), settled]
    return sum(abs(last - first) for first, last in pairs)
