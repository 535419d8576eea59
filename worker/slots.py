"""How many messages one process holds at once, shared between lanes so that neither starves (DESIGN, Lanes)."""

import asyncio
from collections.abc import Callable
from math import inf

from worker.contract.messages import Lane

_SHARE_OF_ONE_LANE = 0.9
"""A lane may use this much of all slots: the rest is kept for the other one."""


class Slots:
    """Counts messages in hand by lane; waiting is first come, first served within a lane."""

    def __init__(self, most: int, appetite: Callable[[], float] = lambda: inf) -> None:
        """Allow `most` messages in all, and a lane that has `appetite` of them in hand no more for now."""
        self._most = most
        self._appetite = appetite
        self._most_of_lane = max(1, int(most * _SHARE_OF_ONE_LANE))
        self._used = dict.fromkeys(Lane, 0)
        self._queues = {lane: asyncio.Lock() for lane in Lane}
        self._freed = {lane: asyncio.Event() for lane in Lane}

    @property
    def used(self) -> int:
        """How many slots are taken."""
        return sum(self._used.values())

    @property
    def most_at_once(self) -> int:
        """How many slots one `take` may ask for: what the other lane can never use, so that none waits for ever."""
        return max(1, self._most - self._most_of_lane)

    async def take(self, lane: Lane, number: int) -> None:
        """Wait until `number` slots, at most `most_at_once`, are free for the lane, and take them."""
        async with self._queues[lane]:
            while self._room(lane) < number or self._used[lane] >= self._appetite():
                self._freed[lane].clear()
                await self._freed[lane].wait()
            self._used[lane] += number

    def seize(self, lane: Lane, number: int) -> None:
        """Take slots without waiting, beyond the bounds if need be: for what may not wait for others."""
        self._used[lane] += number

    def free(self, lane: Lane, number: int) -> None:
        """Give slots back."""
        self._used[lane] -= number
        for event in self._freed.values():
            event.set()

    def _room(self, lane: Lane) -> int:
        return min(self._most - self.used, self._most_of_lane - self._used[lane])
