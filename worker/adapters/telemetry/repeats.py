"""Lines that say the same again: an outage under load must not fill a disk with them."""

from collections.abc import Callable

import structlog
from structlog.typing import EventDict

_PAUSE = 1.0
"""Seconds in which a line is not said twice."""
_KEPT = 1_000
"""Different lines that are remembered."""


class Repeats:
    """A processor of structlog: drops a line that was just said word for word, and says later how many there were.

    A line with a traceback is always said: what it will show is not known yet.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin with nothing said; `monotonic` gives seconds."""
        self._monotonic = monotonic
        self._said: dict[str, float] = {}
        self._dropped: dict[str, int] = {}

    def __call__(self, _logger: object, level: str, event: EventDict) -> EventDict:
        """Return the line, with `repeated` where some were dropped since it was said; raise DropEvent."""
        if event.get("exc_info"):
            return event
        line, now = f"{level} {sorted(event.items())!r}", self._monotonic()
        if now - self._said.get(line, float("-inf")) < _PAUSE:
            self._dropped[line] = self._dropped.get(line, 0) + 1
            raise structlog.DropEvent
        if len(self._said) >= _KEPT:
            self._said.clear()
            self._dropped.clear()
        self._said[line] = now
        dropped = self._dropped.pop(line, 0)
        return {**event, "repeated": dropped} if dropped else event
