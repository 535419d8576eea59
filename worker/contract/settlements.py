"""What was taken in a span of time, as a day's settlement asks for it."""

from typing import NamedTuple

from worker.contract.outcomes import MessageOutcome


class Span(NamedTuple):
    """From a moment up to another, in milliseconds since 1970, of one appId or of all."""

    start: int
    end: int
    """The first moment that is not in it."""
    app_id: str | None = None

    def holds(self, app_id: str, taken_at: int) -> bool:
        """Return whether a message that was taken then belongs to it."""
        return self.start <= taken_at < self.end and self.app_id in {None, app_id}


class Taken(NamedTuple):
    """A part of what was looked at."""

    looked_at: int
    """Records."""
    outcomes: tuple[MessageOutcome, ...]
    """Of those in the span."""
