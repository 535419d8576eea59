"""Ends calls that take too long."""

import asyncio

from worker.adapters.http_calls.connection import Failure, Outcome
from worker.adapters.http_calls.errors import AnswerTimeoutError

_TOO_LATE = Failure(AnswerTimeoutError, "no answer in time")


class Deadlines:
    """One timer for all calls: each may take as long as any other, so the one that began first is due first."""

    def __init__(self, seconds: float) -> None:
        """Give each call so many seconds."""
        self._seconds = seconds
        self._due: dict[asyncio.Future[Outcome], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, waiter: "asyncio.Future[Outcome]", now: float) -> None:
        """Note a call that begins now, by the loop's clock; if it takes too long, that is the result of `waiter`."""
        self._due[waiter] = now + self._seconds
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def end(self, waiter: "asyncio.Future[Outcome]") -> None:
        """Note that a call ended, however it did."""
        del self._due[waiter]

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        for waiter, due in self._due.items():
            if due > now:
                self._timer = loop.call_later(due - now, self._expire)
                return
            if not waiter.done():
                waiter.set_result(_TOO_LATE)
