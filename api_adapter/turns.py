"""How many callers use the stores at once; the others wait in line, first come, first served.

A caller whose turn it is gets all its answers without competing with thousands for each, so the first are answered at
once and the stores' pool of connections is never asked for more than it has.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.contract.errors import LedgerUnavailableError

_PATIENCE = 20.0


class Turns:
    """A line of callers on one asyncio loop."""

    def __init__(self, at_once: int, patience: float = _PATIENCE) -> None:
        """Let `at_once` callers through, and the others wait for `patience` seconds at most."""
        self._places = asyncio.Semaphore(at_once)
        self._patience = patience

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and keep it for the block; raise LedgerUnavailableError when the line does not move."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise LedgerUnavailableError("too many calls wait for Redis; check its log, or run more servers") from error
        try:
            yield
        finally:
            self._places.release()
