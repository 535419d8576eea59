"""Takes a part of a batch job: every row becomes a held message, or is noted as rejected.

A part is read whole before the first row is judged: its digest, its gzip, its rows. So what fails, fails before
anything is taken, and a part that was begun can always be finished, by whoever uploads the same bytes again: rows that
are held already are accepted again, each under its requestId. Tokens live here and in the body alone, and go with it.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import uuid4

from typing_extensions import override

from api_adapter.batch_records import RowFormat, UnreadableRowsError
from api_adapter.batch_rows import Row, ignored_columns, measure_rows, read_rows
from api_adapter.decompressing import Encoding, Gunzip, NotGzipError
from api_adapter.inquiries import Json, result_json
from api_adapter.intake import Intake
from api_adapter.part_taking import AT_A_TIME, PartTaking, TakenElsewhereError
from api_adapter.places import Places
from worker.batch_ports import BatchJobs
from worker.contract.batch_jobs import (
    MAX_ROWS,
    Begun,
    Example,
    Extent,
    PartSummary,
    Upload,
)
from worker.contract.batch_requests import PartName
from worker.contract.codes import SUCCESS, UNKNOWN, Result, ResultCode, ResultStatus
from worker.contract.errors import ContractViolationError
from worker.contract.origins import Origin
from worker.contract.reprs import repr_without
from worker.origin_ports import Batches

MAX_PART_BODY = 16 * 1024 * 1024
"""Bytes of a part as it is sent."""
MAX_PART_CONTENT = 128 * 1024 * 1024
"""Bytes of a part once it is decompressed."""
_CHUNK = 2_000
_CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes of sends, with what they have in common, beyond which a chunk gets no row more: a part is mostly compressed."""
_PIECE = 64 * 1024
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each repeat of what is unknown."""

NO_BATCH: Final = Result.refused(ResultCode.BATCH_NOT_EXIST, "$.batchId: no such batch; create it first")
_REFUSALS = {
    Begun.ABSENT: NO_BATCH,
    Begun.CANCELLED: Result.refused(ResultCode.BATCH_STATE_ILLEGAL, "$.batchId: the batch is CANCELLED"),
    Begun.INCONSISTENT: Result.refused(
        ResultCode.REPEAT_REQ_INCONSISTENT, "query part: came with another content before; use another number"
    ),
    Begun.TOO_MANY: Result.refused(
        ResultCode.PARAM_ILLEGAL, f"$.batchId: the batch would have more than {MAX_ROWS} rows; upload these to another"
    ),
}
_ELSEWHERE = Result(
    ResultCode.UNKNOWN_EXCEPTION, ResultStatus.U, "another upload of this part goes on; ask for the batch's status"
)


class PartBody(NamedTuple):
    """A part as it came."""

    rows: RowFormat
    encoding: Encoding
    body: bytes

    @override
    def __repr__(self) -> str:
        return repr_without(self, "body")

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
            taking = PartTaking(self._intake, self._jobs, self._batches, headers, job, upload)
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

    async def _take(self, taking: PartTaking, part: PartBody) -> PartSummary | Result:
        rows = read_rows(part.rows, part.pieces())
        try:
            while chunk := await _some(rows, taking.common.size):
                if not await taking.take(chunk, self._pauses):
                    return UNKNOWN
            return await taking.finish()
        except TakenElsewhereError:
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
        if not len(found) % AT_A_TIME:
            await asyncio.sleep(0)
    return found


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
