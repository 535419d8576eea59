"""What the core and the API need of a ledger about origins, merchants and batches, as Protocols; see `worker.ports`."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from worker.contract.cancellations import Cancelled, Standing
from worker.contract.messages import Hint
from worker.contract.origins import BatchRow, BatchTally, Origin, Pause


class Pauses(Protocol):
    """Keeps what was not sent from being sent (merchants and batches). Safe to repeat, shard by shard.

    What a worker has in hand goes on, and what reaches its deadline meanwhile expires. Every method raises
    LedgerUnavailableError when the store did not answer.
    """

    async def pause(self, origin: Origin) -> bool:
        """Pause a merchant with all its batches, or one batch: what is not in a worker's hands stays.

        Returns whether it was paused by itself before, everywhere.
        """
        ...

    async def close(self, batch: Origin) -> None:
        """Pause a batch for good: what a gateway was asked for goes on, or it would be U until its deadline."""
        ...

    async def resume(self, origin: Origin) -> bool:
        """Let it go on. What was paused by itself stays paused: a batch of the merchant, the merchant of the batch.

        Returns whether it was paused by itself before, anywhere.
        """
        ...

    async def paused(self) -> list[Pause]:
        """Return what is paused, by appId and batchId; staged batches too."""
        ...


class Cancellations(Protocol):
    """Ends what was not sent (R43). Safe to repeat. Raises LedgerUnavailableError when the store did not answer."""

    async def cancel(self, app_id: str, message_ids: Sequence[str], reason: str) -> list[Cancelled]:
        """End messages of a merchant that were not sent; one answer each, in order."""
        ...

    async def standing(self, origin: Origin) -> Standing:
        """Count what an origin has open; of a merchant with all its batches."""
        ...

    def cancel_all(self, origin: Origin, reason: str) -> AsyncIterator[Counter[Cancelled]]:
        """End what an origin has open and was not sent; yield what became of it, chunk by chunk.

        What is taken meanwhile is left alone. Stopped midway, the rest is as it was: run it again.
        """
        ...


class Batches(Protocol):
    """Messages that came together. Every method raises LedgerUnavailableError when the store did not answer."""

    async def tally(self, batch: Origin) -> BatchTally:
        """Return how many messages of a batch have which outcome."""
        ...

    async def tallies(self, batches: Sequence[Origin]) -> list[BatchTally]:
        """Return the same of several, in order."""
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

    async def forget(self, batch: Origin) -> None:
        """Forget that a batch was paused, closed or resumed, where no message of it is left. Safe to repeat."""
        ...


class Upkeep(Protocol):
    """What sweepers do for what waits. Raises LedgerUnavailableError when the store did not answer."""

    async def look_after(self) -> list[Hint]:
        """Wake what has reached its time; end paused messages past their deadline, and what is staged too long.

        What is woken is in its backlog, and is released from there. Returns hints of what is due by that.
        """
        ...
