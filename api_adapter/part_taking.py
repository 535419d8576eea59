"""Takes the rows of a part that is read already: each becomes a held message, or is noted as rejected."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic_core import from_json

from api_adapter.batch_rows import Row
from api_adapter.common_fields import CommonFields, Item, bounded
from api_adapter.intake import BatchedSend, Intake
from api_adapter.taking import SendResult
from worker.batch_ports import BatchJobs
from worker.batching import chunks
from worker.contract.batch_callbacks import BatchCallbacks
from worker.contract.batch_jobs import BatchJob, Example, JobState, PartSummary, Rejected, Upload, place_of
from worker.contract.codes import UNKNOWN, Result, ResultCode, ResultStatus
from worker.contract.errors import TidingsError
from worker.contract.origins import BatchPart, BatchStart
from worker.origin_ports import Batches

AT_A_TIME = 200
"""Rows that are read until other callers have their turn."""
_KINDS = 50
"""Most different remarks that are kept of a part."""
_ANOTHER_APP = Result.refused(ResultCode.PARAM_ILLEGAL, "$.appId: is not that of the batch")


class TakenElsewhereError(TidingsError):
    """Another upload of the part has begun."""


class PartTaking:
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
        """Keep the collaborators, and what all rows have in common.

        Args:
            intake: takes the sends.
            jobs: where what was rejected is noted.
            batches: knows the rows that are held already.
            headers: of the request.
            job: whose part it is.
            upload: the part, and who takes it.

        """
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
        """Note that the part is done; raise TakenElsewhereError."""
        numbers = self._numbers
        summary = PartSummary(
            numbers["accepted"], numbers["duplicate"], numbers["rejected"], self._codes.found, self._remarks.found
        )
        if not await self._jobs.finish(self._upload, summary):
            raise TakenElsewhereError
        return summary

    async def take(self, rows: Sequence[Row], pauses: Sequence[float]) -> bool:
        """Take some rows; False when the store answered nothing for some, however often it was asked.

        Raises TakenElsewhereError.
        """
        items = []
        for few in chunks(rows, AT_A_TIME):
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
                raise TakenElsewhereError
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
