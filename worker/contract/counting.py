"""Which counters of the ledger its records contradict, though both move while they are read (DESIGN 7). Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias

from worker.contract.messages import Channel
from worker.contract.origins import BatchTally, Origin
from worker.contract.outcomes import Tally

Tallies: TypeAlias = Mapping[tuple[str, Channel], Tally]
"""Deliveries by appId and channel."""
BatchTallies: TypeAlias = Mapping[Origin, BatchTally]
"""Messages by batch."""

_FORGOTTEN = "forgotten"


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
class BatchMiscount:
    """A counter of a batch that the records contradict, in one shard."""

    origin: Origin
    status: str
    """A field of `BatchTally`; at `taken` both numbers are without the forgotten ones."""
    counted: int
    found: int


def miscounts(before: Tallies, found: Tallies, after: Tallies) -> Iterator[Miscount]:
    """Yield the counters that the records contradict; the counters are read before and after them."""
    nothing = Tally()
    for app_id, channel in sorted({*before, *found, *after}):
        tallies = (asdict(each.get((app_id, channel), nothing)) for each in (before, found, after))
        for contradiction in _contradictions("accepted", *tallies):
            yield Miscount(app_id, channel, *contradiction)


def batch_miscounts(before: BatchTallies, found: BatchTallies, after: BatchTallies) -> Iterator[BatchMiscount]:
    """Yield the counters of batches that the records contradict, in the same way."""
    nothing = BatchTally()
    for origin in sorted({*before, *found, *after}):
        tallies = (asdict(each.get(origin, nothing)) for each in (before, found, after))
        for contradiction in _contradictions("taken", *tallies):
            yield BatchMiscount(origin, *contradiction)


_Numbers: TypeAlias = Mapping[str, int]


def _contradictions(total: str, before: _Numbers, found: _Numbers, after: _Numbers) -> Iterator[tuple[str, int, int]]:
    """Yield status, counted and found where the records contradict the counters; `total` names the sum of all.

    Records can't be read all at one instant. So the counters are read before and after them, and a number may be off by
    as many as moved meanwhile; in a ledger at rest by none.
    """
    moved = _moved(total, before, after)
    for status in found:
        if status == _FORGOTTEN:
            continue
        # What is forgotten has no record.
        gone = _FORGOTTEN if status == total else ""
        first, last = (numbers[status] - numbers.get(gone, 0) for numbers in (before, after))
        if not min(first, last) - moved <= found[status] <= max(first, last) + moved:
            yield status, last, found[status]


def _moved(total: str, before: _Numbers, after: _Numbers) -> int:
    """Return how many were accepted, settled or forgotten between two readings of the counters."""
    settled = [numbers[total] - numbers["open"] for numbers in (before, after)]
    pairs = [(before[total], after[total]), (before[_FORGOTTEN], after[_FORGOTTEN]), settled]
    return sum(abs(last - first) for first, last in pairs)
