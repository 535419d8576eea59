"""What was taken in a span of time, as a day's settlement asks for it."""

from typing import NamedTuple

from worker.contract.messages import Lane
from worker.contract.outcomes import DeliveryOutcome, WholeOutcome, settled_at


class Span(NamedTuple):
    """From a moment up to another, in milliseconds since 1970, of one appId or of all."""

    start: int
    end: int
    """The first moment that is not in it."""
    app_id: str | None = None


class TakenMessage(NamedTuple):
    """A message as a settlement tells of it: of what `MessageOutcome` has, what its row needs."""

    message_id: str
    request_id: str
    app_id: str
    taken_at: int
    expires_at: int
    deliveries: tuple[DeliveryOutcome, ...]
    dead_cause: str
    attempts: int
    lane: Lane
    template_code: str
    template_version: int
    language: str

    @property
    def whole(self) -> WholeOutcome:
        """The outcome of all channels together."""
        return WholeOutcome.of(self.deliveries, self.expires_at)

    @property
    def settled_at(self) -> int | None:
        """When the last channel got its outcome; None while one is open."""
        return settled_at(self.deliveries)


class Taken(NamedTuple):
    """A part of what was looked at."""

    looked_at: int
    """Records."""
    messages: tuple[TakenMessage, ...]
    """Those in the span."""
