"""How much a process takes in hand, so that what it can't start soon is left for others (DESIGN, Flow)."""

from collections.abc import Callable

from worker.ports import Clock

_MOMENT = 0.25
"""Seconds of its own speed that a process takes ahead."""
_LEAST = 200
"""Messages ahead of a process whose speed is not known yet, or that settles nothing: a chunk."""


class Appetite:
    """Counts what a process settles.

    A backlog's window is shared by all processes. One that took as much as it has memory for would keep most of it,
    waiting for gateways that are as slow to it as to the others, while those have nothing to do.
    """

    def __init__(self, clock: Clock, in_calls: Callable[[], int]) -> None:
        """Start hungry; `in_calls` tells how many deliveries are in calls."""
        self._clock = clock
        self._in_calls = in_calls
        self._moment = 0
        self._settled = 0
        self._settled_before = 0

    def settled(self, messages: int) -> None:
        """Note that so many messages were settled now."""
        self._turn()
        self._settled += messages

    def __call__(self) -> int:
        """Return how many messages of a lane may be in hand before another hint is taken."""
        self._turn()
        return _LEAST + max(self._settled, self._settled_before) + self._in_calls()

    def _turn(self) -> None:
        moment = int(self._clock.monotonic() / _MOMENT)
        if moment != self._moment:
            self._settled_before = self._settled if moment == self._moment + 1 else 0
            self._moment, self._settled = moment, 0
