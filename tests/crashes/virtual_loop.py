"""An asyncio loop whose time is the test's, so that a process of ours runs by single turns and nothing waits."""

import asyncio

from typing_extensions import override

from worker.ports import Clock

_MOST_TURNS = 10_000
"""Far beyond what any process needs until each of its tasks waits."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Knows no network: tasks wait for the clock and for futures that the test completes."""

    def __init__(self, clock: Clock) -> None:
        """Start no task; time is the clock's monotonic one."""
        super().__init__()
        self._clock = clock

    @override
    def time(self) -> float:
        return self._clock.monotonic()

    def run_until_idle(self) -> None:
        """Run whatever can run now, timers whose time has come included."""
        for _ in range(_MOST_TURNS):
            if not self._ready and not self._has_due_timer():  # type: ignore[attr-defined]
                return
            self.call_soon(self.stop)
            self.run_forever()
        raise AssertionError("a task turns for ever without waiting for anything")

    def _has_due_timer(self) -> bool:
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return bool(timers) and timers[0].when() <= self.time()

    def bury(self) -> None:
        """End every task of a process that is dead: nothing of it may reach the outside any more."""
        while tasks := asyncio.all_tasks(self):
            for task in tasks:
                task.cancel()
            self.run_until_idle()
        self.close()
