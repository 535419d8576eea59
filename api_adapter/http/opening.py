"""Whether the ledger is the one that the settings describe, asked until it has answered once."""

from collections.abc import Awaitable, Callable


class Opening:
    """A server may start before its ledger does; it takes nothing for a ledger of other parameters all the same."""

    def __init__(self, open_ledger: Callable[[], Awaitable[None]]) -> None:
        """Keep what opens the ledger; called until it returns once."""
        self._open_ledger = open_ledger
        self._opened = False

    async def check(self) -> None:
        """Return when the ledger is open; raise LedgerUnavailableError or LedgerMismatchError while it can't be."""
        if not self._opened:
            await self._open_ledger()
            self._opened = True
