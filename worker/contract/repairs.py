"""What a repair of the ledger mended, each fault that an audit found looked at once more before (DESIGN 1, 7)."""

from dataclasses import dataclass
from enum import IntEnum

from worker.contract.audits import Misplaced
from worker.contract.messages import Channel, Lane
from worker.contract.origins import Origin


class Mend(IntEnum):
    """What was done about a message; the numbers are the return codes of `repair_messages`."""

    NOTHING = 0
    """It is sound by now."""
    PUT_BACK = 1
    """It is due now: it was open and had no home."""
    TAKEN_OUT = 2
    """It is in no index any more: it is final, or there is no record of it."""
    MOVED_IN = 3
    """It has one home, that which comes first of due, a backlog and the schedule: it had several."""
    MADE_ROOM = 4
    """It is in no window any more that is not its own, or that it had left; the same of what waits."""
    INDEXED = 5
    """It is in the indexes that its record asks for, and in no other."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A message and what was done about it."""

    message: Misplaced
    mend: Mend


@dataclass(frozen=True, slots=True)
class Relisted:
    """A backlog that exists and was not in the index of backlogs, so that nobody released from it."""

    lane: Lane
    origin: Origin


@dataclass(frozen=True, slots=True)
class Recounted:
    """A counter that was set to what the records say; at `accepted` both numbers include the forgotten ones."""

    app_id: str
    channel: Channel
    status: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class ShardRepair:
    """What was mended in one shard."""

    shard: int
    mended: tuple[Mended, ...]
    relisted: tuple[Relisted, ...]
    recounted: tuple[Recounted, ...]
