"""The breaker of a gateway, as all workers share it (CONTRACT R69)."""

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether a gateway may be called."""

    CLOSED = "closed"
    """Calls go out."""
    OPEN = "open"
    """Nobody calls it: messages wait in the due index and burn no try."""
    HALF_OPEN = "half-open"
    """One call at a time asks whether it is back; the others wait."""


@dataclass(frozen=True, slots=True)
class OpenedBreaker:
    """A breaker that is not closed."""

    open_for: int
    """Milliseconds until it is half-open; 0 once it is."""
    since: int
    """Milliseconds since 1970 when it was closed last."""
    times: int
    """How often it opened since then without being asked to; the time it stays open doubles with each."""
    reason: str
    """Code of the failure that opened it last, such as `HTTP_503` or `UNANSWERED`."""

    @property
    def state(self) -> BreakerState:
        """OPEN or HALF_OPEN."""
        return BreakerState.OPEN if self.open_for > 0 else BreakerState.HALF_OPEN
