"""How long to wait before a call is repeated: full jitter, what the API asks for, and an end (CONTRACT R52)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from worker.contract.errors import TidingsError
from worker.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the client tries; in seconds.

    Each pause is drawn anew, from 0 up to a bound that doubles from `first` to `longest`, so that clients which failed
    together do not come back together.
    """

    total: float = 60.0
    """From the first call to the end of the last."""
    call: float = 15.0
    """Longest that one call may take."""
    first: float = 0.25
    longest: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what would wait for ever or not at all."""
        if min(self.total, self.call, self.first, self.longest) <= 0:
            raise PatienceError("total, call, first and longest must be seconds above 0")


class PatienceError(TidingsError):
    """A duration can't be used."""


class Waits:
    """The pauses of one exchange."""

    def __init__(self, patience: Patience, monotonic: Callable[[], float], draw: Callable[[], float]) -> None:
        """Begin now; `draw` gives numbers in [0, 1)."""
        self._policy = RetryPolicy(backoff_base=int(patience.first * 1000), backoff_cap=int(patience.longest * 1000))
        self._patience = patience
        self._monotonic = monotonic
        self._draw = draw
        self._end = monotonic() + patience.total
        self._tries = 0

    def timeout(self) -> float:
        """Return how long the next call may take."""
        return max(0.001, min(self._patience.call, self._end - self._monotonic()))

    def left(self) -> float:
        """Return the seconds until the end of all tries."""
        return max(0.0, self._end - self._monotonic())

    def next(self, asked: float | None) -> float | None:
        """Return the seconds before the next try, at least what the API asked for; None when that would be too late."""
        self._tries += 1
        pause = self._policy.backoff(self._tries, self._draw) / 1000
        if asked is not None:
            pause = asked + min(pause, self._patience.first)
        return pause if self._monotonic() + pause < self._end else None


def retry_after(header: str | None, now: int) -> float | None:
    """Return the seconds that a Retry-After asks for (RFC 9110, 10.2.3), None for none; `now` is ms since 1970."""
    if header is None:
        return None
    if header.strip().isdecimal() and len(header) <= 9:  # noqa: PLR2004 - some thirty years
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now / 1000)
