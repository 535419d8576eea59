"""Cancelling: what was not sent ends as F CANCELLED and never is (CONTRACT R43)."""

from dataclasses import dataclass
from enum import IntEnum

from worker.contract.dead_letters import MAX_REASON

MAX_CANCELLED = 10_000
"""Most requestIds that are cancelled in one call."""

__all__ = ["MAX_CANCELLED", "MAX_REASON", "Cancelled", "Standing"]


class Cancelled(IntEnum):
    """What became of one message that was to be cancelled; the numbers are the script's return codes."""

    CANCELLED = 1
    """It is F CANCELLED, now or since an earlier cancel: no gateway was asked for it, and none will be."""
    FINAL = 2
    """It has another outcome already."""
    TRIED = 3
    """A gateway was asked for it, so it may have been shown: it goes on."""
    HELD = 4
    """A worker holds it: it may be on its way to a gateway at this moment. Or it is staged: it may yet be withdrawn."""
    LATER = 5
    """It was taken after the cancel began."""
    UNKNOWN = 6
    """No such message was taken, or it is forgotten."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many messages of an origin are open."""

    backlogged: int
    """Waiting for their turn, or for the end of a pause."""
    due: int
    """Handed to workers: hinted, in their hands, or waiting for a retry."""
    scheduled: int = 0
    """Waiting for their time, or for the end of a user's quiet hours."""
