"""The asyncio face of a batch job."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
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


@contextmanager
def _thread() -> Iterator[Callable[[Callable[[], Returned]], Awaitable[Returned]]]:
    """Give what works on files beside the loop; it has done so when the block ends, however that comes."""
    with ThreadPoolExecutor(1) as thread:
        yield partial(asyncio.get_running_loop().run_in_executor, thread)


class AsyncBatch:
    """One batch job; `AsyncClient.batch` gives it. Everything may be repeated; methods raise as `AsyncClient.send`."""

    def __init__(self, operations: BatchOperations, drive: Callable[[Exchange[Any]], Awaitable[Any]]) -> None:
        """Keep what is asked, and what makes the calls."""
        self._operations = operations
        self._drive = drive

    async def create(self, **common: object) -> BatchStatus:
        """Define it, with the fields that its rows have in common by the API's names: `templateCode="ORDER_READY"`.

        `callbackOutcomes=["F"]` and `progressCallbacks=False` narrow what callbacks tell of this batch.
        """
        return await self._run(self._operations.create(common))

    async def upload(self, part: int, rows: bytes, written: PartFormat = PartFormat.JSON_LINES) -> PartAnswer:
        """Upload a part, from 1; the same part again is no part more."""
        return await self._run(self._operations.upload(part, rows, written))

    async def upload_all(self, sends: Iterable[Sendable], first: int = 1) -> AsyncIterator[PartAnswer]:
        """Upload sends, cut into parts; yield the answer to each. Holds one part in memory."""
        for part, rows in enumerate(json_line_parts(sends), first):
            yield await self.upload(part, rows)

    async def upload_file(self, file: Path, first: int = 1) -> AsyncIterator[PartAnswer]:
        """Upload a file of JSON lines or CSV, .gz or not, by its name, cut into parts as `tidings batch upload` does.

        Raises JoinError for a file that can't be read.
        """
        with closing(file_parts(file)) as parts, _thread() as do:
            for part in count(first):
                rows = await do(partial(next, parts, None))
                if rows is None:
                    return
                yield await self.upload(part, rows.content, rows.written)

    async def lint(self) -> BatchLint:
        """Return what is wrong before it runs."""
        return await self._run(self._operations.lint())

    async def run(self, *, parts: int | None = None, rows: int | None = None) -> BatchStatus:
        """Let it be sent; refused unless it has as many parts and rows as are given."""
        return await self._run(self._operations.run(parts, rows))

    async def pause(self) -> BatchStatus:
        """Keep what was not sent from being sent."""
        return await self._run(self._operations.move("pause"))

    async def resume(self) -> BatchStatus:
        """Let it go on."""
        return await self._run(self._operations.move("resume"))

    async def cancel(self) -> BatchStatus:
        """End what was not sent, for good."""
        return await self._run(self._operations.move("cancel"))

    async def status(self) -> BatchStatus:
        """Return how far it is."""
        return await self._run(self._operations.move("status"))

    async def results(self, status: str | None = None) -> AsyncIterator[BatchResult]:
        """Yield the outcome of each row, or of those that are S, U or F."""
        after = None
        while True:
            page = await self._run(self._operations.results(status, after))
            for one in page.items:
                yield one
            after = page.next
            if after is None:
                return

    async def errors(self) -> AsyncIterator[BatchError]:
        """Yield the rejected rows."""
        async for page in self._error_pages():
            for one in page:
                yield one

    async def join_file(self, file: Path, first: int = 1) -> Joined:
        """Write the rejected rows of a file that was cut into parts beside it, to be corrected and uploaded.

        `first` is the number of the file's first part. Raises JoinError, and nothing is written.
        """
        (joined,) = await self._join([cut_file(file, first)])
        return joined

    async def join_parts(self, files: Mapping[int, Path]) -> tuple[Joined, ...]:
        """Do as `join_file` for files that were uploaded as one part each, by their numbers; in that order."""
        return await self._join([one_part(file, number) for number, file in files.items()])

    async def _join(self, files: Sequence[PartsFile]) -> tuple[Joined, ...]:
        with closing(Joining(files, await self.lint())) as joining, _thread() as do:
            await do(joining.begin)
            async for page in self._error_pages():
                await do(partial(joining.take, page))
            return await do(joining.finish)

    async def _error_pages(self) -> AsyncIterator[Sequence[BatchError]]:
        after = None
        while True:
            page = await self._run(self._operations.errors(after))
            yield page.items
            after = page.next
            if after is None:
                return

    async def _run(self, exchange: Exchange[Returned]) -> Returned:
        returned: Returned = await self._drive(exchange)
        return returned
