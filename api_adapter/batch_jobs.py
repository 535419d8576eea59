"""Batch jobs as merchants call them: create, lint, run, pause, resume, cancel, and what became of them.

Framework-free like intake: a caller and a validated request in, a JSON-ready answer out. Every method raises
LedgerUnavailableError when the store did not answer.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence

from api_adapter.batch_pages import cursor, page, place_after, read_cursor
from api_adapter.batch_uploading import NO_BATCH, examples_json
from api_adapter.clients import Clients
from api_adapter.inquiries import Json, refusal, result_json
from api_adapter.reconciling import whole_json
from worker.batch_keeping import CARRIED_OUT_BY, BatchKeeper, ended
from worker.batch_ports import BatchJobs
from worker.contract.batch_jobs import (
    CANCEL,
    PAUSE,
    RESUME,
    RUN,
    BatchJob,
    Change,
    Created,
    JobPart,
    JobState,
    Moved,
    Rejected,
    place_of,
    row_of,
)
from worker.contract.batch_requests import BatchCreation, BatchName, BatchRun, ErrorsPage, ResultsPage
from worker.contract.codes import SUCCESS, Result, ResultCode, ResultStatus
from worker.contract.origins import BatchRow, BatchTally, Origin
from worker.contract.requests import SendDefaults
from worker.origin_ports import Batches
from worker.ports import Clock, Records

_PATIENCE = 5.0
"""Seconds that a caller waits until a change is carried out."""
_SCANNED = 10_000
"""Most rows that are looked through for a page."""
_LOOKED = 50
"""Most looks at the ledger for a page: rows may all be rejected, or blank, or forgotten."""
_READ = 2_000
_DENIED = Result.refused(ResultCode.ACCESS_DENIED, "$.appId: this client may not send for it")
_INCONSISTENT = Result.refused(
    ResultCode.REPEAT_REQ_INCONSISTENT, "$.batchId: is known with another definition; use a new batchId"
)


class BatchDesk:
    """Answers what is asked of batch jobs, for callers who may act for the appId."""

    def __init__(
        self,
        *,
        clients: Clients,
        jobs: BatchJobs,
        batches: Batches,
        records: Records,
        keeper: BatchKeeper,
        clock: Clock,
    ) -> None:
        """Keep the collaborators."""
        self._clients = clients
        self._jobs = jobs
        self._batches = batches
        self._records = records
        self._keeper = keeper
        self._clock = clock
        self._under_way: set[asyncio.Task[None]] = set()

    async def refusal(self, headers: Mapping[str, str], app_id: str) -> Result | None:
        """Return why a caller may not act for an appId, or None; header names are in lower case."""
        caller = await self._clients.identify(headers)
        if isinstance(caller, Result):
            return caller
        return None if caller.may_send_for(app_id) else _DENIED

    async def create(self, request: BatchCreation) -> Json:
        """Define a batch; the same definition again answers the same."""
        batch = Origin(request.appId, request.batchId)
        common = request.model_dump(include={*SendDefaults.model_fields}, exclude_none=True)
        # Not by orjson, which refuses numbers beyond 64 bits: what a common field may hold is judged with each row.
        definition = json.dumps(
            common | request.callbacks.fields(), ensure_ascii=False, separators=(",", ":"), sort_keys=True
        ).encode()
        if await self._jobs.create(batch, definition, CARRIED_OUT_BY) is Created.INCONSISTENT:
            return refusal(_INCONSISTENT)
        job = await self._jobs.find(batch)
        if job is not None and job.state is JobState.HELD and not job.carried_out:
            # Somebody may have paused and resumed this name before there was a job: its rows are held all the same.
            await self._keeper.carry_out(job)
        return await self.status(BatchName(appId=batch.app_id, batchId=batch.batch_id))

    async def status(self, name: BatchName) -> Json:
        """Tell how far a batch is."""
        job = await self._find(name)
        if job is None:
            return refusal(NO_BATCH)
        tally = await self._batches.tally(job.origin)
        return {"result": result_json(SUCCESS), **self._status(job, tally)}

    async def lint(self, name: BatchName) -> Json:
        """Tell what is wrong with a batch, before it runs: parts that lack, rows that were rejected, remarks."""
        job = await self._find(name)
        if job is None:
            return refusal(NO_BATCH)
        received = job.received
        return {
            "result": result_json(SUCCESS),
            "ready": job.state is JobState.HELD and bool(job.parts) and not job.lacking,
            "lacking": list(job.lacking),
            "accepted": received.accepted,
            "duplicate": received.duplicate,
            "rejected": received.rejected,
            "parts": [_linted(part) for part in job.parts],
        }

    async def run(self, request: BatchRun) -> Json:
        """Let a batch be sent."""
        job = await self._find(request)
        if job is None:
            return refusal(NO_BATCH)
        given = {
            "parts": (request.parts, len(job.parts)),
            "rows": (request.rows, sum(part.extent.rows for part in job.parts)),
        }
        for field, (wanted, there) in given.items():
            if wanted is not None and wanted != there and job.state is JobState.HELD:
                text = f"$.{field}: the batch has {there}; upload what is missing"
                return refusal(Result.refused(ResultCode.BATCH_STATE_ILLEGAL, text))
        return await self._change(request, RUN)

    async def pause(self, name: BatchName) -> Json:
        """Keep what was not sent of a batch from being sent."""
        return await self._change(name, PAUSE)

    async def resume(self, name: BatchName) -> Json:
        """Let a paused batch go on."""
        return await self._change(name, RESUME)

    async def cancel(self, name: BatchName) -> Json:
        """End what was not sent of a batch, for good."""
        return await self._change(name, CANCEL)

    async def _change(self, name: BatchName, change: Change) -> Json:
        batch = Origin(name.appId, name.batchId)
        tally = await self._batches.tally(batch)
        moved = await self._jobs.move(batch, change, ended(tally), CARRIED_OUT_BY)
        job = await self._jobs.find(batch)
        if job is None or moved is Moved.ABSENT:
            return refusal(NO_BATCH)
        if moved is not Moved.MOVED:
            return refusal(Result.refused(ResultCode.BATCH_STATE_ILLEGAL, _why(moved, job)))
        # A cancel of a million takes longer than a caller waits. It goes on; should this process die, a sweeper does.
        carrying = asyncio.create_task(self._keeper.carry_out(job))
        self._under_way.add(carrying)
        carrying.add_done_callback(self._under_way.discard)
        done, _ = await asyncio.wait({carrying}, timeout=_PATIENCE)
        for task in done:
            task.result()
        return await self.status(name)

    async def results(self, request: ResultsPage) -> Json:
        """Return a page of outcomes; it may hold fewer than asked for, even none, while there is a next one."""
        job = await self._find(request)
        if job is None:
            return refusal(NO_BATCH)
        items: list[Json] = []
        scanned = looks = 0
        async for last, rows in self._rows(job, place_after(request.after)):
            matching = await self._matching(rows, request.status)
            room = request.limit - len(items)
            items += await self._items(matching[:room])
            scanned, looks = scanned + len(rows), looks + 1
            if len(matching) >= room:
                return page(items, cursor(*row_of(matching[room - 1].row)))
            if scanned >= _SCANNED or looks >= _LOOKED:
                return page(items, cursor(*row_of(last)))
        return page(items, None)

    async def errors(self, request: ErrorsPage) -> Json:
        """Return a page of rejected rows: number, requestId and reason."""
        job = await self._find(request)
        if job is None:
            return refusal(NO_BATCH)
        number, chunk = read_cursor(request.after) or (0, 0)
        for part in job.parts:
            if part.number < number or part.done_at is None:
                continue
            wanted = chunk if part.number == number else 0
            rows = await self._jobs.rejected(job.origin, part.number, wanted)
            if rows is not None:
                return page([_error(part.number, row) for row in rows], cursor(part.number, wanted + 1))
        return page([], None)

    async def _find(self, name: BatchName) -> BatchJob | None:
        return await self._jobs.find(Origin(name.appId, name.batchId))

    async def _rows(self, job: BatchJob, after: int) -> AsyncIterator[tuple[int, list[BatchRow]]]:
        """Yield rows, look by look, each with the last place that was looked at; there may be none."""
        for part in job.parts:
            end = place_of(part.number, part.extent.last) + 1
            for start in range(max(place_of(part.number, 1), after + 1), end, _READ):
                number = min(_READ, end - start)
                yield start + number - 1, await self._batches.rows(job.origin, start, number)

    async def _matching(self, rows: Sequence[BatchRow], wanted: ResultStatus | None) -> list[BatchRow]:
        statuses = await self._records.statuses([row.message_id for row in rows])
        known = ((row, whole.status) for row, whole in zip(rows, statuses, strict=True) if whole is not None)
        return [row for row, status in known if wanted in {None, status}]

    async def _items(self, rows: Sequence[BatchRow]) -> list[Json]:
        outcomes = await self._records.find([row.message_id for row in rows])
        return [
            {"part": part, "row": row, "requestId": outcome.request_id, "messageId": outcome.message_id}
            | whole_json(outcome.whole)
            for (part, row), outcome in zip((row_of(row.row) for row in rows), outcomes, strict=True)
            if outcome is not None
        ]

    def _status(self, job: BatchJob, tally: BatchTally) -> Json:
        received = job.received
        settled_at = _settled_at(job, tally)
        rate = self._rate(job, tally, settled_at)
        return {
            "appId": job.origin.app_id,
            "batchId": job.origin.batch_id,
            "state": job.state,
            "createdAt": job.created_at,
            "changedAt": job.changed_at,
            "parts": len(job.parts),
            "lacking": list(job.lacking),
            "received": received.accepted + received.duplicate + received.rejected,
            "accepted": received.accepted,
            "duplicate": received.duplicate,
            "rejected": received.rejected,
            "open": tally.open,
            "S": tally.S,
            "U": tally.U,
            "F": tally.F,
            "forgotten": tally.forgotten,
            "settledAt": settled_at,
            "rate": rate,
            "eta": self._clock.now() + round(1000 * tally.open / rate) if rate and tally.open else None,
        }

    def _rate(self, job: BatchJob, tally: BatchTally, settled_at: int | None) -> float | None:
        """Return the outcomes a second since it was run or resumed last, until there was nothing left to settle."""
        until = self._clock.now() if settled_at is None or settled_at <= job.changed_at else settled_at
        seconds = (until - job.changed_at) / 1000
        if job.state is not JobState.RUNNING or seconds <= 0:
            return None
        return round(max(0, ended(tally) - job.ended_before) / seconds, 1)


def _settled_at(job: BatchJob, tally: BatchTally) -> int | None:
    """Return when nothing was open any more; None where something is, or where that is yet to be seen."""
    came_at = max((part.done_at or 0 for part in job.parts), default=0)
    seen_at = job.settled_at
    return None if seen_at is None or seen_at < came_at or tally.open or job.lacking else seen_at


def _why(moved: Moved, job: BatchJob) -> str:
    match moved:
        case Moved.INCOMPLETE:
            return f"$.batchId: part {job.lacking[0]} was not taken whole; upload it again"
        case Moved.EMPTY:
            return "$.batchId: the batch has no part; upload one"
        case _:
            return f"$.batchId: the batch is {job.state}"


def _linted(part: JobPart) -> Json:
    summary = part.summary
    return {
        "part": part.number,
        "rows": part.extent.rows,
        "done": part.done_at is not None,
        "codes": examples_json(summary.codes),
        "remarks": examples_json(summary.remarks),
    }


def _error(part: int, row: Rejected) -> Json:
    return {
        "part": part,
        "row": row.row,
        "requestId": row.request_id,
        "resultCode": row.code,
        "resultMessage": row.message,
    }
