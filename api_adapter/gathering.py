"""Sends that come one by one share round trips: what arrives while the store takes some is taken together after them.

Nobody waits for a timer. A send that comes alone is taken at once; under load the parts grow by themselves.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from api_adapter.admitting import Send
from api_adapter.taking import Results, SendResult

_UNDER_WAY = 2
"""Parts that the store takes at once: it works on one while the next is judged."""
_MOST = 200
"""Most sends of a part."""
_PACE = 0.002
"""Enough for a group to gather under load, and not felt by one that comes alone."""

Take = Callable[[Sequence[Send]], Awaitable[Results]]

log = structlog.get_logger(__name__)


class _Waiter(NamedTuple):
    send: Send
    result: "asyncio.Future[SendResult]"


class Gathering:
    """Makes parts of the sends of many callers, on one asyncio loop."""

    def __init__(self, take: Take, pace: float = _PACE) -> None:
        """Start with nobody.

        Args:
            take: answers the sends of a part by their places.
            pace: seconds between the beginnings of two parts, unless one is full.

        """
        self._take = take
        self._waiting: deque[_Waiter] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._pace = pace
        self._begun = float("-inf")
        self._later: asyncio.TimerHandle | None = None

    async def take(self, send: Send) -> SendResult:
        """Return the answer to a send. Raises what `take` raises for it alone."""
        waiter = _Waiter(send, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._start()
        return await waiter.result

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting and len(self._under_way) < _UNDER_WAY:
            if len(self._waiting) < _MOST and loop.time() < self._begun + self._pace:
                if self._later is None:
                    self._later = loop.call_at(self._begun + self._pace, self._start_later)
                return
            self._begun = loop.time()
            part = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            task = asyncio.create_task(self._answer(part))
            self._under_way.add(task)
            task.add_done_callback(self._ended)

    def _start_later(self) -> None:
        self._later = None
        self._start()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        self._start()

    async def _answer(self, part: Sequence[_Waiter]) -> None:
        sends = [waiter.send.at(place) for place, waiter in enumerate(part)]
        try:
            results = await self._take(sends)
        except Exception as error:  # noqa: BLE001 - it is its own caller's, and must not be the others'
            if len(part) > 1:
                log.warning("part_taken_one_by_one", sends=len(part), error=type(error).__name__)
                for waiter in part:
                    await self._answer([waiter])
            else:
                _tell(part[0], error)
            return
        for place, waiter in enumerate(part):
            _tell(waiter, results[place])


def _tell(waiter: _Waiter, outcome: SendResult | Exception) -> None:
    if waiter.result.done():  # its caller waits no more
        return
    if isinstance(outcome, Exception):
        waiter.result.set_exception(outcome)
    else:
        waiter.result.set_result(outcome)
