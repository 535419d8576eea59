"""What an audit compares of a callback: what its record says, and where it waits. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from worker.contract.callbacks import CallbackKey, CallbackState


class CallbackFault(StrEnum):
    """How the place of a callback contradicts its record."""

    UNTOLD = "to be told, but in no queue"
    SEVERAL_PLACES = "in more than one of outbox, queue and those given up"
    ENDED = "told or given up, but still to be told"
    NOTHING_TO_TELL = "given up, but its record has no such outcome"


@dataclass(frozen=True, slots=True)
class CallbackPlaces:
    """What was found of one callback."""

    is_told: bool
    """Its record has that outcome, and its merchant wants to hear of it."""
    state: CallbackState | None
    """What its record says became of it; None: nothing so far."""
    outboxed: bool
    queued: bool
    given_up: bool

    @property
    def fault(self) -> CallbackFault | None:
        """What is wrong, if anything.

        What is not to be told any more is dropped when somebody wants to tell it, so it may be in outbox and queue.
        What was given up and is nowhere was let go.
        """
        waits = self.outboxed or self.queued
        if not self.is_told:
            return CallbackFault.NOTHING_TO_TELL if self.given_up else None
        if self.state is CallbackState.DELIVERED:
            return CallbackFault.ENDED if waits or self.given_up else None
        if self.state is CallbackState.DEAD and waits:
            return CallbackFault.ENDED
        if self.outboxed + self.queued + self.given_up > 1:
            return CallbackFault.SEVERAL_PLACES
        is_over = self.given_up or self.state is CallbackState.DEAD
        return None if waits or is_over else CallbackFault.UNTOLD


@dataclass(frozen=True, slots=True)
class MisplacedCallback:
    """A callback whose place contradicts its record."""

    key: CallbackKey
    fault: CallbackFault
