"""What calling back needs from the outside world; `worker.registry_ports.CallbackRegistry` is used by intake too."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from worker.contract.callbacks import CallbackSettlement, DueCallback

Queue: TypeAlias = tuple[int | Literal["jobs"], str]
"""Where, and of whom: a queue of callbacks of its own has each appId, in each shard and beside the batch jobs."""


class Outbox(Protocol):
    """The callbacks that are to be made. Every method raises LedgerUnavailableError when the store did not answer.

    Nothing is removed before its merchant has answered, or it is given up.
    """

    async def due(self) -> list[Queue]:
        """Put what is to be told into its merchants' queues; return the queues that have something to be looked at."""
        ...

    async def own(self, app_ids: Sequence[str], process: str, lease: int) -> list[bool]:
        """Take the right to call merchants back, alone, for `lease` milliseconds; False where another process has it.

        Asked again it lasts longer; with a lease of 0 it ends.
        """
        ...

    async def claim(self, queues: Mapping[Queue, int], lease: int) -> list[DueCallback]:
        """Take of each queue at most so many callbacks, as long as the lease of milliseconds runs.

        What is not true any more, as its message was opened again or forgotten, is dropped meanwhile.
        """
        ...

    async def settle(self, settlements: Sequence[CallbackSettlement]) -> list[bool]:
        """End claims; False where another claim has the callback and nothing was changed."""
        ...


class Reply(NamedTuple):
    """What came of a call."""

    status: int | None
    """HTTP status; None: there was no answer."""
    detail: str
    """`HTTP 500`, `TIMEOUT`, `UNREACHABLE`, ...: short, nothing of the answer's body."""
    retry_after: int | None = None
    """Milliseconds that the merchant asked to wait."""


class Poster(Protocol):
    """Makes the calls."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Call a merchant. Never raises for what the network or the merchant does."""
        ...
