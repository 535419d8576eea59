"""Who may have messages in hand: many hints together, or one of suspects and nothing else (DESIGN 9).

A message that kills its process takes along whatever else the process holds, so suspects are handled by themselves.
"""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from worker.contract.messages import HintKind
from worker.ports import Clock

_TURN = 1.0
"""Seconds of each side's turn while the other side waits."""


class _Turn(Enum):
    NORMAL = auto()
    CLOSING = auto()
    """Suspects wait for the last normal message to leave."""
    SUSPECTS = auto()


@dataclass(slots=True, eq=False)
class _Waiter:
    messages: int
    entered: asyncio.Event = field(default_factory=asyncio.Event)


class Gate:
    """Lets in as many normal hints as come, or one hint of suspects while nothing else is in hand.

    Suspects that wait close the gate once the normal turn is over, and get in when the last message has left: after
    about the longest call. They enter one after the other until their turn is over. The normal turn after it is at
    least as long as they kept the gate closed, so they never take more than half of the time.
    """

    def __init__(self, clock: Clock) -> None:
        """Start with nothing in hand."""
        self._clock = clock
        self._inside = 0
        self._normal: deque[_Waiter] = deque()
        self._suspects: deque[_Waiter] = deque()
        self._turn = _Turn.NORMAL
        self._turn_ends = 0.0
        self._closed_at = 0.0

    @property
    def suspects_waiting(self) -> int:
        """How many hints of suspects wait."""
        return len(self._suspects)

    async def enter(self, kind: HintKind, messages: int) -> None:
        """Return once so many messages of a hint may be taken in hand; give each back with `leave`."""
        waiter = _Waiter(messages)
        if self._opens_to(kind):
            self._let_in(waiter)
            return
        queue = self._normal if kind is HintKind.NORMAL else self._suspects
        queue.append(waiter)
        try:
            await waiter.entered.wait()
        except asyncio.CancelledError:
            with suppress(ValueError):
                queue.remove(waiter)
            if waiter.entered.is_set():
                self.leave(messages)
            raise

    def leave(self, messages: int) -> None:
        """Note that so many messages are in this process' hands no more."""
        self._inside -= messages
        if not self._inside:
            self._change_over()

    def _opens_to(self, kind: HintKind) -> bool:
        now = self._clock.monotonic()
        if kind is not HintKind.NORMAL:
            if self._inside:
                return False
            self._begin_suspects(now)
            return True
        if self._turn is _Turn.NORMAL and self._suspects and now >= self._turn_ends:
            self._turn, self._closed_at = _Turn.CLOSING, now
        return self._turn is _Turn.NORMAL

    def _change_over(self) -> None:
        """Let in who is next, now that nothing is in hand."""
        now = self._clock.monotonic()
        more = self._turn is not _Turn.SUSPECTS or now < self._turn_ends or not self._normal
        if self._suspects and more:
            self._begin_suspects(now)
            self._let_in(self._suspects.popleft())
            return
        if self._turn is not _Turn.NORMAL:
            self._turn, self._turn_ends = _Turn.NORMAL, now + max(_TURN, now - self._closed_at)
        while self._normal:
            self._let_in(self._normal.popleft())

    def _begin_suspects(self, now: float) -> None:
        if self._turn is _Turn.SUSPECTS:
            return
        if self._turn is _Turn.NORMAL:
            self._closed_at = now
        self._turn, self._turn_ends = _Turn.SUSPECTS, now + _TURN

    def _let_in(self, waiter: _Waiter) -> None:
        self._inside += waiter.messages
        waiter.entered.set()
