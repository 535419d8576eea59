"""What every worker process does beside delivering.

It hints what is overdue, releases backlogs, forgets, learns of breakers, and ends what waits in vain.
Any number may run at once; there is no leader (DESIGN 5, 6, 8).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from worker.breaking import Breakers
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import CHUNK
from worker.origin_ports import Upkeep
from worker.ports import Hints, Ledger

_RELEASE_PAUSE = 0.1
"""Seconds between releases while messages leave this process."""
_FORGET_ROUNDS = 20

log = structlog.get_logger(__name__)


class Sweeper:
    """Looks after the ledger once per interval, and after backlogs whenever messages were settled."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        upkeep: Sequence[Upkeep],
        hints: Hints,
        breakers: Breakers,
        interval: int,
        draw: Callable[[], float],
    ) -> None:
        """Keep the collaborators; `interval` is in milliseconds, `draw` spreads processes in time."""
        self._ledger = ledger
        self._upkeep = upkeep
        self._hints = hints
        self._breakers = breakers
        self._interval = interval / 1000
        self._draw = draw
        self._room = asyncio.Event()
        self._stopping = False
        self._available = True

    def stop(self) -> None:
        """Hint and release nothing more; running rounds end by themselves."""
        self._stopping = True
        self._room.set()

    def room_may_be_free(self) -> None:
        """Say that messages were settled, so that windows may have room."""
        self._room.set()

    async def run(self) -> None:
        """Look after the ledger, until `stop`."""
        while not self._stopping:
            await self._guarded(self._round)
            await asyncio.sleep(self._interval * (0.75 + 0.5 * self._draw()))

    async def run_releases(self) -> None:
        """Release backlogs soon after messages were settled, until `stop`."""
        await self._room.wait()
        while not self._stopping:
            self._room.clear()
            await self._guarded(self._release)
            await asyncio.sleep(_RELEASE_PAUSE)
            await self._room.wait()

    async def _round(self) -> None:
        await self._breakers.refresh()
        self._hints.publish(await self._ledger.sweep())
        failure = await self._look_after()
        await self._release()
        forgotten = await self._forget()
        if forgotten:
            log.info("forgotten", messages=forgotten)
        if failure:
            raise failure

    async def _look_after(self) -> LedgerUnavailableError | None:
        """Do the upkeep; return what failed last: what frees memory must go on where a full store refuses something."""
        failure = None
        for upkeep in self._upkeep:
            try:
                self._hints.publish(await upkeep.look_after())
            except LedgerUnavailableError as error:
                failure = error
        return failure

    async def _forget(self) -> int:
        forgotten = 0
        for _ in range(_FORGET_ROUNDS):
            erased = await self._ledger.forget()
            forgotten += erased
            if erased < CHUNK:
                break
        return forgotten

    async def _release(self) -> None:
        self._hints.publish(await self._ledger.release(await self._ledger.backlogged()))

    async def _guarded(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except LedgerUnavailableError as error:
            if self._available:
                log.warning("ledger_unavailable", reason=str(error))
            self._available = False
        else:
            if not self._available:
                log.info("ledger_available_again")
            self._available = True
