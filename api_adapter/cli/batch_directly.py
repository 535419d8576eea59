"""A batch job as whoever runs tidings asks about it: by the ledger of the settings, with the answers merchants get."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from typing import Any, TypeAlias

from api_adapter.batch_records import RowFormat
from api_adapter.batch_uploading import PartBody
from api_adapter.cancellation import heed_cancellation
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Front
from api_adapter.client.batch_jobs import BatchError, BatchLint, BatchResult, BatchStatus, PartAnswer, PartFormat
from api_adapter.clients import CLIENT_ID
from api_adapter.decompressing import Encoding
from worker.contract.batch_requests import (
    MOST_RESULTS,
    BatchCreation,
    BatchName,
    BatchRun,
    ErrorsPage,
    PartName,
    ResultsPage,
)
from worker.contract.codes import ResultStatus
from worker.contract.parsing import parse_fields

_Answer: TypeAlias = dict[str, Any]


class Directly:
    """Has what the verbs ask of `AsyncBatch`; all of it raises TidingsError for what is refused."""

    def __init__(self, front: Front, name: BatchName, client_id: str) -> None:
        """Name the batch, and who sends what is uploaded."""
        self._front = front
        self._name = name
        self._fields = name.model_dump()
        self._client_id = client_id

    async def create(self, **common: object) -> BatchStatus:
        """Do as `AsyncBatch.create`."""
        request = parse_fields(BatchCreation, {**common, **self._fields})
        return _status(await self._front.batches.create(request))

    async def upload(self, part: int, rows: bytes, written: PartFormat) -> PartAnswer:
        """Do as `AsyncBatch.upload`."""
        digest = await asyncio.to_thread(lambda: sha256(rows).hexdigest())
        name = parse_fields(PartName, {**self._fields, "part": part, "sha256": digest})
        body = PartBody(RowFormat(written.value), Encoding.PLAIN, rows)
        answer = await self._front.uploads.upload({CLIENT_ID: self._client_id}, name, body)
        return PartAnswer.model_validate(_checked(answer))

    async def lint(self) -> BatchLint:
        """Do as `AsyncBatch.lint`."""
        return BatchLint.model_validate(_checked(await self._front.batches.lint(self._name)))

    async def run(self, *, parts: int | None = None, rows: int | None = None) -> BatchStatus:
        """Do as `AsyncBatch.run`."""
        request = parse_fields(BatchRun, {**self._fields, "parts": parts, "rows": rows})
        return _status(await self._front.batches.run(request))

    async def pause(self) -> BatchStatus:
        """Do as `AsyncBatch.pause`."""
        return _status(await self._front.batches.pause(self._name))

    async def resume(self) -> BatchStatus:
        """Do as `AsyncBatch.resume`."""
        return _status(await self._front.batches.resume(self._name))

    async def cancel(self) -> BatchStatus:
        """Do as `AsyncBatch.cancel`."""
        return _status(await self._front.batches.cancel(self._name))

    async def status(self) -> BatchStatus:
        """Do as `AsyncBatch.status`."""
        return _status(await self._front.batches.status(self._name))

    async def results(self, status: str | None = None) -> AsyncIterator[BatchResult]:
        """Do as `AsyncBatch.results`."""
        fields, ask = {**self._fields, "status": status, "limit": MOST_RESULTS}, self._front.batches.results
        async for items in _pages(lambda after: ask(parse_fields(ResultsPage, {**fields, "after": after}))):
            for item in items:
                yield BatchResult.model_validate(item)

    async def errors(self) -> AsyncIterator[BatchError]:
        """Do as `AsyncBatch.errors`."""
        ask = self._front.batches.errors
        async for items in _pages(lambda after: ask(parse_fields(ErrorsPage, {**self._fields, "after": after}))):
            for item in items:
                yield BatchError.model_validate(item)


def _status(answer: _Answer) -> BatchStatus:
    return BatchStatus.model_validate(_checked(answer))


def _checked(answer: _Answer) -> _Answer:
    result = answer["result"]
    if result["resultStatus"] != ResultStatus.S:
        raise ArgumentError(f"{result['resultCode']}: {result['resultMessage']}")
    return answer


async def _pages(ask: Callable[[str | None], Awaitable[_Answer]]) -> AsyncIterator[list[_Answer]]:
    """Yield the items of all pages; `ask` gets where a page begins."""
    after = None
    while True:
        page = _checked(await ask(after))
        yield page["items"]
        heed_cancellation()
        after = page["next"]
        if after is None:
            return
