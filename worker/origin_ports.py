"""What the core and the API need of a ledger about origins, merchants and batches, as Protocols; see `worker.ports`."""

from typing import Protocol

from worker.contract.messages import Hint
from worker.contract.origins import BatchRow, BatchTally, Origin, Pause


class Pauses(Protocol):
    """Keeps what was not sent from being sent (merchants and batches). Safe to repeat, shard by shard.

    What a worker has in hand goes on, and what reaches its deadline meanwhile expires. Every method raises
    LedgerUnavailableError when the store did not answer.
    """

    async def pause(self, origin: Origin) -> None:
        """Pause a merchant with all its batches, or one batch: what is not in a worker's hands stays."""
        ...

    async def resume(self, origin: Origin) -> None:
        """Let it go on. What was paused by itself stays paused: a batch of the merchant, the merchant of the batch."""
        ...

    async def paused(self) -> list[Pause]:
        """Return what is paused, by appId and batchId; staged batches too."""
        ...


class Batches(Protocol):
    """Messages that came together. Every method raises LedgerUnavailableError when the store did not answer."""

    async def tally(self, batch: Origin) -> BatchTally:
        """Return how many messages of a batch have which outcome."""
        ...

    async def rows(self, batch: Origin, first: int, number: int) -> list[BatchRow]:
        """Return the messages with rows from `first` on, `number` rows at most, in order; rows may be missing."""
        ...

    async def run(self, batch: Origin) -> bool:
        """Let a staged batch be sent, for good; False where it was withdrawn before. Safe to repeat."""
        ...

    async def withdraw(self, batch: Origin) -> bool:
        """Erase a staged batch as if it had never been taken; False where it runs already. Safe to repeat."""
        ...


class Upkeep(Protocol):
    """What sweepers do for what waits. Raises LedgerUnavailableError when the store did not answer."""

    async def look_after(self) -> list[Hint]:
        """End what waits in vain: paused messages past their deadline, staged batches that nobody decides.

        Returns hints of what is due by that.
        """
        ...
