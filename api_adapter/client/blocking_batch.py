"""The blocking face of a batch job."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from api_adapter.client.batch_jobs import (
    BatchError,
    BatchLint,
    BatchOperations,
    BatchResult,
    BatchStatus,
    PartAnswer,
    PartFormat,
    json_line_parts,
)
from api_adapter.client.exchange import Exchange
from api_adapter.client.requests import Sendable

Returned = TypeVar("Returned")


class Batch:
    """One batch job; `Client.batch` gives it. Everything may be repeated, and every method raises as `Client.send`."""

    def __init__(self, operations: BatchOperations, drive: Callable[[Exchange[Any]], Any]) -> None:
        """Keep what is asked, and what makes the calls."""
        self._operations = operations
        self._drive = drive

    def create(self, **common: object) -> BatchStatus:
        """Define it, with the fields that its rows have in common by the API's names: `templateCode="ORDER_READY"`.

        `callbackOutcomes=["F"]` and `progressCallbacks=False` narrow what callbacks tell of this batch.
        """
        return self._run(self._operations.create(common))

    def upload(self, part: int, rows: bytes, written: PartFormat = PartFormat.JSON_LINES) -> PartAnswer:
        """Upload a part, from 1; the same part again is no part more."""
        return self._run(self._operations.upload(part, rows, written))

    def upload_all(self, sends: Iterable[Sendable], first: int = 1) -> Iterator[PartAnswer]:
        """Upload sends, cut into parts; yield the answer to each. Holds one part in memory."""
        for part, rows in enumerate(json_line_parts(sends), first):
            yield self.upload(part, rows)

    def lint(self) -> BatchLint:
        """Return what is wrong before it runs."""
        return self._run(self._operations.lint())

    def run(self, *, parts: int | None = None, rows: int | None = None) -> BatchStatus:
        """Let it be sent; refused unless it has as many parts and rows as are given."""
        return self._run(self._operations.run(parts, rows))

    def pause(self) -> BatchStatus:
        """Keep what was not sent from being sent."""
        return self._run(self._operations.move("pause"))

    def resume(self) -> BatchStatus:
        """Let it go on."""
        return self._run(self._operations.move("resume"))

    def cancel(self) -> BatchStatus:
        """End what was not sent, for good."""
        return self._run(self._operations.move("cancel"))

    def status(self) -> BatchStatus:
        """Return how far it is."""
        return self._run(self._operations.move("status"))

    def results(self, status: str | None = None) -> Iterator[BatchResult]:
        """Yield the outcome of each row, or of those that are S, U or F."""
        after = None
        while True:
            page = self._run(self._operations.results(status, after))
            yield from page.items
            after = page.next
            if after is None:
                return

    def errors(self) -> Iterator[BatchError]:
        """Yield the rejected rows."""
        after = None
        while True:
            page = self._run(self._operations.errors(after))
            yield from page.items
            after = page.next
            if after is None:
                return

    def _run(self, exchange: Exchange[Returned]) -> Returned:
        returned: Returned = self._drive(exchange)
        return returned
