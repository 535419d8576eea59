"""Dead letters as a search finds them, and what people do to them: replay or discard.

Times are whole milliseconds of the ledger's clock since 1970.
"""

import re
from dataclasses import dataclass, replace
from enum import IntEnum

from worker.contract.codes import MAX_RESULT_MESSAGE
from worker.contract.errors import TidingsError
from worker.contract.messages import Channel, DeadCause, DeliveryState, Lane

MAX_REASON = MAX_RESULT_MESSAGE
"""Characters that the reason of a discard may have."""

_GIVEN_UP = frozenset({DeliveryState.F, DeliveryState.U})
_UNFIT = re.compile(r"[\x00-\x20\x7f|]")
_POSITION = re.compile(r"(\d{13})-([0-9a-f]{32})")


class PositionError(TidingsError):
    """A text is not what `Position.text` gave."""


def label(text: str) -> str:
    """Return a gateway's code or name as searches compare it: `_` for white space, control characters and `|`."""
    return _UNFIT.sub("_", text)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the list of dead letters, newest first. It stays valid when letters come and go."""

    died_at: int
    message_id: str

    @property
    def text(self) -> str:
        """The position for people to hand back: 13 digits, a hyphen and the messageId."""
        return f"{self.died_at:013d}-{self.message_id}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Return the position that `text` gave; raise PositionError for anything else."""
        read = _POSITION.fullmatch(text)
        if read is None:
            raise PositionError("must be the cursor that the page before named")
        return cls(int(read[1]), read[2])


@dataclass(frozen=True, slots=True)
class DeadChannel:
    """One channel of a dead letter."""

    channel: Channel
    state: DeliveryState
    """S, F, U or skipped: none is open."""
    code: str
    """Why it is F or U, as a `label`; empty at S."""
    gateway: str
    """Name of the gateway that answered last, as a `label`; empty where none was called."""

    @property
    def given_up(self) -> bool:
        """Whether a replay sends it: F and U, never S."""
        return self.state in _GIVEN_UP


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody tries any more, as searches see it: never what it says."""

    message_id: str
    app_id: str
    request_id: str
    lane: Lane
    template_code: str
    template_version: int
    cause: str
    """A DeadCause."""
    died_at: int
    channels: tuple[DeadChannel, ...]

    @property
    def position(self) -> Position:
        """Its place in the list."""
        return Position(self.died_at, self.message_id)

    @property
    def given_up(self) -> tuple[DeadChannel, ...]:
        """The channels that a replay sends."""
        return tuple(channel for channel in self.channels if channel.given_up)


@dataclass(frozen=True, slots=True)
class DeadLetterQuery:
    """What a dead letter must be; None: anything. Channel, code and gateway must be those of one given-up channel."""

    app_id: str | None = None
    request_id: str | None = None
    template_code: str | None = None
    cause: DeadCause | None = None
    channel: Channel | None = None
    code: str | None = None
    gateway: str | None = None
    died_from: int | None = None
    """The earliest time of death."""
    died_until: int | None = None
    """The latest time of death."""

    def not_after(self, time: int) -> "DeadLetterQuery":
        """Return the same query of what died until a time at most."""
        return replace(self, died_until=time if self.died_until is None else min(time, self.died_until))


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Some dead letters, the newest first."""

    letters: tuple[DeadLetter, ...]
    more_after: Position | None
    """Where the next page begins; None: there are no more."""


class Replayed(IntEnum):
    """What became of a dead letter at replay; the numbers are the script's return codes."""

    SENT = 1
    """Open again: its F and U channels will be sent, those with S never."""
    SUPPRESSED = 2
    """Every channel has S or is skipped: nothing to send, and final now."""
    REFUSED = 3
    """It is no dead letter (any more): nothing was changed."""
    EMPTY = 4
    """Its payload is gone, so there is nothing to send: nothing was changed."""


class Discarded(IntEnum):
    """What became of a dead letter at discard; the numbers are the script's return codes."""

    DONE = 1
    """No dead letter any more: its outcome stays and is forgotten after the retention."""
    REFUSED = 3
    """It is no dead letter (any more): nothing was changed."""
