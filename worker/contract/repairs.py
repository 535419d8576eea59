"""What a repair of the ledger mended, each fault that an audit found looked at once more before (DESIGN 1, 7)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from worker.contract.audits import Misplaced
from worker.contract.callback_audits import MisplacedCallback
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
class BatchRecounted:
    """The same of a counter of a batch; at `taken` both numbers include the forgotten ones."""

    origin: Origin
    status: str
    before: int
    after: int


class CallbackMend(IntEnum):
    """What was done about a callback; the numbers are the return codes of `repair_callbacks`."""

    NOTHING = 0
    """It is sound by now."""
    PUT_BACK = 1
    """It is in the outbox: it was to be told and in no queue."""
    TAKEN_OUT = 2
    """It is to be told no more: it was told or given up, or there is nothing to tell."""
    MOVED_IN = 3
    """It is in one place, that which comes first of queue, outbox and those given up: it was in several."""


@dataclass(frozen=True, slots=True)
class MendedCallback:
    """A callback and what was done about it."""

    callback: MisplacedCallback
    mend: CallbackMend


@dataclass(frozen=True, slots=True)
class ShardRepair:
    """What was mended in one shard, or beside the batch jobs."""

    shard: int | Literal["jobs"]
    mended: tuple[Mended, ...] = ()
    relisted: tuple[Relisted, ...] = ()
    recounted: tuple[Recounted, ...] = ()
    batches: tuple[BatchRecounted, ...] = ()
    callbacks: tuple[MendedCallback, ...] = ()
    queues: tuple[str, ...] = ()
    """The appIds whose queue of callbacks its index names again."""
