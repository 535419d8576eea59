"""The blocking face of a batch job."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
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
from api_adapter.client.batch_joining import Joining, PartsFile, cut_file, file_parts, one_part
from api_adapter.client.exchange import Exchange
from api_adapter.client.join_outputs import Joined
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

    def upload_file(self, file: Path, first: int = 1) -> Iterator[PartAnswer]:
        """Upload a file of JSON lines or CSV, .gz or not, by its name, cut into parts as `tidings batch upload` does.

        Raises JoinError for a file that can't be read.
        """
        for part, rows in enumerate(file_parts(file), first):
            yield self.upload(part, rows.content, rows.written)

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

    def join_file(self, file: Path, first: int = 1) -> Joined:
        """Write the rejected rows of a file that was cut into parts beside it, to be corrected and uploaded.

        `first` is the number of the file's first part. Raises JoinError, and nothing is written.
        """
        (joined,) = self._join([cut_file(file, first)])
        return joined

    def join_parts(self, files: Mapping[int, Path]) -> tuple[Joined, ...]:
        """Do as `join_file` for files that were uploaded as one part each, by their numbers; in that order."""
        return self._join([one_part(file, number) for number, file in files.items()])

    def _join(self, files: Sequence[PartsFile]) -> tuple[Joined, ...]:
        with closing(Joining(files, self.lint())) as joining:
            joining.begin()
            joining.take(self.errors())
            return joining.finish()

    def _run(self, exchange: Exchange[Returned]) -> Returned:
        returned: Returned = self._drive(exchange)
        return returned
