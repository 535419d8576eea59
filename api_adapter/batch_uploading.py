"""Takes a part of a batch job: every row becomes a held message, or is noted as rejected.

A part is read whole before the first row is judged: its digest, its gzip, its rows. So what fails, fails before
anything is taken, and a part that was begun can always be finished, by whoever uploads the same bytes again: rows that
are held already are accepted again, each under its requestId. Tokens live here and in the body alone, and go with it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import uuid4

from pydantic_core import from_json

from api_adapter.batch_records import RowFormat, UnreadableRowsError
from api_adapter.batch_rows import Row, ignored_columns, measure_rows, read_rows
from api_adapter.common_fields import CommonFields, Item, bounded
from api_adapter.decompressing import Encoding, Gunzip, NotGzipError
from api_adapter.inquiries import Json, result_json
from api_adapter.intake import BatchedSend, Intake
from api_adapter.places import Places
from api_adapter.taking import SendResult
from worker.batch_ports import BatchJobs
from worker.batching import chunks
from worker.contract.batch_callbacks import BatchCallbacks
from worker.contract.batch_jobs import (
    BatchJob,
    Begun,
    Example,
    Extent,
    JobState,
    PartSummary,
    Rejected,
    Upload,
    place_of,
)
from worker.contract.batch_requests import PartName
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode, ResultStatus
from worker.contract.origins import BatchPart, BatchStart, Origin
from worker.contract.requests import ContractViolationError
from worker.origin_ports import Batches

MAX_PART_BODY = 16 * 1024 * 1024
"""Bytes of a part as it is sent."""
MAX_PART_CONTENT = 128 * 1024 * 1024
"""Bytes of a part once it is decompressed."""
_CHUNK = 2_000
_CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes of sends, with what they have in common, beyond which a chunk gets no row more: a part is mostly compressed."""
_AT_A_TIME = 200
"""Rows that are read until other callers have their turn."""
_PIECE = 64 * 1024
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each repeat of what is unknown."""
_KINDS = 50
"""Most different remarks that are kept of a part."""
_ANOTHER_APP = Result.refused(ResultCode.PARAM_ILLEGAL, "$.appId: is not that of the batch")

NO_BATCH: Final = Result.refused(ResultCode.BATCH_NOT_EXIST, "$.batchId: no such batch; create it first")
_REFUSALS = {
    Begun.ABSENT: NO_BATCH,
    Begun.CANCELLED: Result.refused(ResultCode.BATCH_STATE_ILLEGAL, "$.batchId: the batch is CANCELLED"),
    Begun.INCONSISTENT: Result.refused(
        ResultCode.REPEAT_REQ_INCONSISTENT, "query part: came with another content before; use another number"
    ),
    Begun.TOO_MANY: Result.refused(ResultCode.PARAM_ILLEGAL, "$.batchId: the batch would have too many rows"),
}
_ELSEWHERE = Result(
    ResultCode.UNKNOWN_EXCEPTION, ResultStatus.U, "another upload of this part goes on; ask for the batch's status"
)


class PartBody(NamedTuple):
    """A part as it came."""

    rows: RowFormat
    encoding: Encoding
    body: bytes

    def pieces(self) -> Iterator[bytes]:
        """Yield what it holds, piece by piece; raise NotGzipError or BodyTooLargeError."""
        if self.encoding is Encoding.PLAIN:
            for start in range(0, len(self.body), _PIECE):
                yield self.body[start : start + _PIECE]
            return
        decompression = Gunzip(MAX_PART_CONTENT)
        for start in range(0, len(self.body), _PIECE):
            yield from decompression.feed(self.body[start : start + _PIECE])
        decompression.finish()

    def survey(self) -> tuple[Extent, tuple[str, ...]]:
        """Return how large it is, and the columns that mean nothing.

        Raises ContractViolationError where it can't be read, BodyTooLargeError where it holds too much.
        """
        try:
            ignored = ignored_columns(self.pieces()) if self.rows is RowFormat.CSV else ()
            extent = measure_rows(self.rows, self.pieces())
        except (NotGzipError, UnreadableRowsError) as error:
            raise ContractViolationError([f"$: {error}"]) from None
        if not extent.rows:
            raise ContractViolationError(["$: has no rows"])
        return extent, ignored


class _Elsewhere(Exception):  # noqa: N818 - nothing is wrong: another upload took over
    """Another upload of the part has begun."""


class PartUploads:
    """Takes parts."""

    def __init__(self, intake: Intake, jobs: BatchJobs, batches: Batches, pauses: Sequence[float] = _PAUSES) -> None:
        """Keep the collaborators; `pauses` are the seconds before each repeat of what is unknown."""
        self._intake = intake
        self._jobs = jobs
        self._batches = batches
        self._pauses = pauses
        self.places = Places()
        """Where a part is while it comes and is taken."""

    async def upload(self, headers: Mapping[str, str], name: PartName, part: PartBody) -> Json:
        """Answer an upload; the caller may act for the appId.

        Raises LedgerUnavailableError, ContractViolationError and BodyTooLargeError.
        """
        digest = await asyncio.to_thread(lambda: sha256(part.body).hexdigest())
        if digest != name.sha256.lower():
            raise ContractViolationError(["query sha256: is not that of the body as it came"])
        extent, ignored = await asyncio.to_thread(part.survey)
        batch = Origin(name.appId, name.batchId)
        upload = Upload(batch, name.part, uuid4().hex)
        begun = await self._jobs.begin(upload, digest, extent)
        if begun in _REFUSALS:
            return {"result": result_json(_REFUSALS[begun])}
        job = await self._jobs.find(batch)
        if job is None:
            return {"result": result_json(NO_BATCH)}
        if begun is Begun.BEGUN:
            taking = _Taking(self._intake, self._jobs, self._batches, headers, job, upload)
            answer = await self._take(taking, part)
            if isinstance(answer, Result):
                return {"result": result_json(answer)}
            summary = answer
        else:
            summary = next(known.summary for known in job.parts if known.number == name.part)
        return {
            "result": result_json(SUCCESS),
            **_part_json(name.part, extent, summary),
            "ignoredColumns": list(ignored),
        }

    async def _take(self, taking: "_Taking", part: PartBody) -> PartSummary | Result:
        rows = read_rows(part.rows, part.pieces())
        try:
            while chunk := await _some(rows, taking.common.size):
                if not await taking.take(chunk, self._pauses):
                    return UNKNOWN
            return await taking.finish()
        except _Elsewhere:
            return _ELSEWHERE


async def _some(rows: Iterator[Row], common: int) -> list[Row]:
    """Return the next rows, each of them `common` bytes larger than it stands there."""
    found: list[Row] = []
    size = 0
    for row in rows:
        found.append(row)
        size += row.size + common
        if len(found) == _CHUNK or size >= _CHUNK_SIZE:
            break
        if not len(found) % _AT_A_TIME:
            await asyncio.sleep(0)
    return found


class _Taking:
    """One upload, chunk by chunk."""

    def __init__(
        self,
        intake: Intake,
        jobs: BatchJobs,
        batches: Batches,
        headers: Mapping[str, str],
        job: BatchJob,
        upload: Upload,
    ) -> None:
        self._intake = intake
        self._jobs = jobs
        self._batches = batches
        self._headers = headers
        self._upload = upload
        # What comes after the run goes on at once.
        start = BatchStart.AT_ONCE if job.state is JobState.RUNNING else BatchStart.PAUSED
        self._batch = BatchPart(upload.batch.batch_id, start)
        self.common = CommonFields(from_json(job.definition))
        self._callbacks = BatchCallbacks.read(job.definition).outcomes
        self._chunks = 0
        self._numbers: Counter[str] = Counter()
        self._codes = _Examples()
        self._remarks = _Examples(_KINDS)

    async def finish(self) -> PartSummary:
        """Note that the part is done."""
        numbers = self._numbers
        summary = PartSummary(
            numbers["accepted"], numbers["duplicate"], numbers["rejected"], self._codes.found, self._remarks.found
        )
        if not await self._jobs.finish(self._upload, summary):
            raise _Elsewhere
        return summary

    async def take(self, rows: Sequence[Row], pauses: Sequence[float]) -> bool:
        """Take some rows; False when the store answered nothing for some, however often it was asked."""
        items = []
        for few in chunks(rows, _AT_A_TIME):
            items += [self._item(row) for row in few]
            await asyncio.sleep(0)
        answers = [SendResult(self._refusal(item) or UNKNOWN) for item in items]
        for pause in (0.0, *pauses):
            unknown = [index for index, answer in enumerate(answers) if answer.result.status is ResultStatus.U]
            if not unknown:
                break
            await asyncio.sleep(pause)
            await self._ask(rows, items, unknown, answers)
        if any(answer.result.status is ResultStatus.U for answer in answers):
            return False
        await self._note(rows, items, answers)
        return True

    async def _ask(
        self, rows: Sequence[Row], items: Sequence[Item], indexes: Sequence[int], answers: list[SendResult]
    ) -> None:
        part = self._upload.part
        asked = [
            BatchedSend(place_of(part, rows[index].number), item)
            for index in indexes
            if not isinstance(item := items[index], Result)
        ]
        taken = await self._intake.take_rows(self._headers, self._batch, asked, self._callbacks)
        for index, answer in zip(indexes, taken, strict=True):
            answers[index] = answer

    async def _note(self, rows: Sequence[Row], items: Sequence[Item], answers: Sequence[SendResult]) -> None:
        duplicates = await self._duplicates(rows, answers)
        rejected = []
        for row, item, answer in zip(rows, items, answers, strict=True):
            result = answer.result
            if result.status is ResultStatus.F:
                self._numbers["rejected"] += 1
                self._codes.add(result.code.value, row.number, result.message)
                rejected.append(Rejected(row.number, _request_id(item), result.code.value, result.message))
            else:
                self._numbers["duplicate" if row.number in duplicates else "accepted"] += 1
                for remark in answer.remarks:
                    self._remarks.add(remark, row.number, "")
        if rejected:
            if not await self._jobs.reject(self._upload, self._chunks, rejected):
                raise _Elsewhere
            self._chunks += 1

    async def _duplicates(self, rows: Sequence[Row], answers: Sequence[SendResult]) -> set[int]:
        """Return the rows whose requestId is taken, but not as this row of this batch, now or by an earlier try."""
        first, last = (place_of(self._upload.part, number) for number in (rows[0].number, rows[-1].number))
        held = {
            (one.row, one.message_id) for one in await self._batches.rows(self._upload.batch, first, last - first + 1)
        }
        taken = (
            (row.number, answer.message_id) for row, answer in zip(rows, answers, strict=True) if answer.message_id
        )
        return {number for number, id_ in taken if (place_of(self._upload.part, number), id_) not in held}

    def _item(self, row: Row) -> Item:
        if isinstance(row.send, Result):
            return row.send
        if isinstance(row.send, bytes):
            return self.common.put_into_line(row.send)
        return bounded(self.common.put_into(row.send))

    def _refusal(self, item: Item) -> Result | None:
        if isinstance(item, Result):
            return item
        return _ANOTHER_APP if item["appId"] != self._upload.batch.app_id else None


class _Examples:
    """Counts what is alike, and keeps the first of each."""

    def __init__(self, most: int | None = None) -> None:
        self.found: dict[str, Example] = {}
        self._most = most

    def add(self, name: str, row: int, message: str) -> None:
        known = self.found.get(name)
        if known is not None:
            self.found[name] = known._replace(rows=known.rows + 1)
        elif self._most is None or len(self.found) < self._most:
            self.found[name] = Example(1, row, message)


def _request_id(item: Item) -> str:
    value = None if isinstance(item, Result) else item.get("requestId")
    return value if isinstance(value, str) and len(value) <= 64 else ""  # noqa: PLR2004 - R3


def _part_json(number: int, extent: Extent, summary: PartSummary) -> Json:
    return {
        "part": number,
        "rows": extent.rows,
        "accepted": summary.accepted,
        "duplicate": summary.duplicate,
        "rejected": summary.rejected,
        "codes": examples_json(summary.codes),
    }


def examples_json(examples: Mapping[str, Example]) -> Json:
    """Return how often each came, and the first row."""
    return {name: {"rows": one.rows, "firstRow": one.first, "message": one.message} for name, one in examples.items()}
