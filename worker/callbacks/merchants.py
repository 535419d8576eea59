"""How one merchant fares: how many callbacks it may be sent at once, and until when none."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from worker.callbacks.ports import Reply
from worker.callbacks.verdicts import CallbackPolicy, backoff, is_throttled, pause_asked, succeeded
from worker.contract.callbacks import DueCallback

AHEAD = 4
"""How many callbacks for each call at once are held, so that the ledger need not be asked after each."""
_PATIENCE = 5
"""Failures in a row after which the merchant itself is left alone for a while."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1_000, 60_000
"""Milliseconds: the longest is how late a merchant that is back hears of it."""
_PAUSES = CallbackPolicy(_FIRST_PAUSE, _LONGEST_PAUSE)


class InHand(NamedTuple):
    """A claimed callback, and until when on the local clock it may still be sent."""

    callback: DueCallback
    deadline: float


class Merchant:
    """One merchant in this process. Each failure halves its calls at once, each success adds one."""

    def __init__(self, most: int) -> None:
        """Start with `most` calls at once, which it is never above."""
        self._most = most
        self._failures = 0
        self._paused_until = float("-inf")
        self.at_once = most
        self.in_flight = 0
        self.waiting: deque[InHand] = deque()

    @property
    def in_hand(self) -> int:
        """How many callbacks this process holds for it."""
        return self.in_flight + len(self.waiting)

    def room(self, now: float) -> int:
        """Return how many callbacks more may be claimed at a time of the local clock."""
        return 0 if self.is_paused(now) else max(0, self.at_once * AHEAD - self.in_hand)

    def is_paused(self, now: float) -> bool:
        """Return whether it is left alone at a time of the local clock."""
        return now < self._paused_until

    def next(self, now: float) -> InHand | None:
        """Return what to send now, None for nothing; what was held too long is dropped: somebody else may have it."""
        while self.waiting and self.in_flight < self.at_once and not self.is_paused(now):
            held = self.waiting.popleft()
            if now < held.deadline:
                return held
        return None

    def heard(self, reply: Reply, now: float, draw: Callable[[], float]) -> int:
        """Note an answer; return for how many milliseconds it is left alone from now on, 0: it is not."""
        if succeeded(reply):
            self._failures, self.at_once = 0, min(self._most, self.at_once + 1)
            return 0
        self._failures, self.at_once = self._failures + 1, max(1, self.at_once // 2)
        pause = pause_asked(reply) if is_throttled(reply) else 0
        if self._failures >= _PATIENCE:
            pause = max(pause, _FIRST_PAUSE, backoff(self._failures - _PATIENCE, _PAUSES, draw))
        if pause:
            self._paused_until = max(self._paused_until, now + pause / 1000)
        return pause
