"""What a fault is played on: the stack, the load, the clock, and the time at which it was played."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from api_adapter.drill.counting import Window
from api_adapter.drill.load import Load
from api_adapter.drill.sends import Send
from api_adapter.drill.stack import DrillStack
from api_adapter.drill.times import Times
from worker.bootstrap import Services
from worker.contract.errors import TidingsError
from worker.contract.outcomes import Tally
from worker.ports import Clock

_GLANCE = 0.02
_PATIENCE = 60.0


class DrillError(TidingsError):
    """A fault did not happen as it was meant to; the text says what was waited for."""


@dataclass(slots=True)
class Stage:
    """One drill while it is played."""

    stack: DrillStack
    services: Services
    """As the merchant's side reaches them."""
    load: Load
    sends: Sequence[Send]
    times: Times
    clock: Clock
    problems: list[str] = field(default_factory=list, init=False)
    """What the fault itself saw that must not be."""
    loaded: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set once the load is over."""
    window: Window | None = field(default=None, init=False)
    """When the fault was played; None as long as it was not, and of one that is there all the time."""

    @asynccontextmanager
    async def fault(self) -> AsyncIterator[None]:
        """Note that the fault is played for as long as the block lasts."""
        start = self.clock.now()
        yield
        self.window = Window(start, self.clock.now())

    def strikes(self) -> None:
        """Note that the fault is played at this moment and over."""
        self.window = Window(self.clock.now(), self.clock.now())

    def thawed(self) -> None:
        """Note that the fault ended with a stopped process that goes on."""
        if self.window is not None:
            self.window = replace(self.window, thawed=True)

    async def under_way(self) -> None:
        """Return in the middle of the load, once messages are being delivered."""
        await asyncio.sleep(self.times.lead)
        await self.until(self._has_delivered, "a delivery")

    async def logged(self, worker: str, text: str) -> None:
        """Return once a worker's log holds a text."""
        log = self.stack.parts[worker].log

        async def is_told() -> bool:
            return text in log.read_text(errors="replace")

        await self.until(is_told, f"{text!r} in {log}")

    async def tally(self) -> Tally:
        """Return the ledger's counters, summed over all apps and channels."""
        return sum((await self.services.records.tallies()).values(), Tally())

    async def until(self, is_so: Callable[[], Awaitable[bool]], what: str) -> None:
        """Return once something is so; raise DrillError where it takes too long."""
        deadline = self.clock.monotonic() + _PATIENCE
        while not await is_so():
            if self.clock.monotonic() > deadline:
                raise DrillError(f"waited in vain for {what}")
            await asyncio.sleep(_GLANCE)

    async def _has_delivered(self) -> bool:
        journal = self.stack.journal
        return journal.exists() and journal.stat().st_size > 0
