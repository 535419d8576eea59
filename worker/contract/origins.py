"""Whose messages they are, a merchant's or those of one of its batches, and what became of a batch."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Origin(NamedTuple):
    """A merchant, or one batch of it: what has a backlog of its own, and what can be paused."""

    app_id: str
    batch_id: str = ""
    """Empty: the merchant, with what came in no batch."""

    @property
    def text(self) -> str:
        """Return it as keys and members write it: `<appId>` or `<appId>#<batchId>`."""
        return f"{self.app_id}#{self.batch_id}" if self.batch_id else self.app_id

    @classmethod
    def read(cls, text: str) -> "Origin":
        """Return what `text` wrote; no id holds a '#' (R12)."""
        app_id, _, batch_id = text.partition("#")
        return cls(app_id, batch_id)

    @property
    def pausing(self) -> tuple["Origin", "Origin"]:
        """Return what pauses it when it is paused: itself, or its merchant."""
        return self, Origin(self.app_id)


class BatchStart(StrEnum):
    """When the messages of a batch may be sent; the texts are the accept script's argument."""

    AT_ONCE = "at once"
    PAUSED = "paused"
    """Once the batch is resumed. A batch that was resumed before goes on."""
    STAGED = "staged"
    """Once it is decided that the batch runs. Nobody decides in time: it is withdrawn."""


@dataclass(frozen=True, slots=True)
class BatchPart:
    """How some messages of a batch are taken."""

    batch_id: str
    """1 to 64 characters, as R12 has it for other ids."""
    start: BatchStart = BatchStart.AT_ONCE


NO_BATCH = BatchPart("")
"""Of messages that came in no batch."""


class Decision(StrEnum):
    """What is decided of a staged batch, once and for all; the texts are the store's."""

    RUN = "run"
    WITHDRAW = "withdraw"
    """Its messages are erased as if they had never been taken (R51)."""


@dataclass(frozen=True, slots=True)
class BatchTally:
    """Messages of a batch by their whole outcome (R73); taken = open + S + F + U + forgotten.

    A shard's share of a batch is forgotten with the last of its messages there, so in the end all numbers go to 0.
    """

    taken: int = 0
    open: int = 0
    S: int = 0
    F: int = 0
    U: int = 0
    forgotten: int = 0

    def __add__(self, other: "BatchTally") -> "BatchTally":
        """Return the sum, field by field."""
        return BatchTally(
            self.taken + other.taken,
            self.open + other.open,
            self.S + other.S,
            self.F + other.F,
            self.U + other.U,
            self.forgotten + other.forgotten,
        )


class BatchRow(NamedTuple):
    """A message of a batch by its row."""

    row: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Pause:
    """What is paused, and since when."""

    origin: Origin
    since: int
    """Milliseconds since 1970, the earliest of all shards."""
