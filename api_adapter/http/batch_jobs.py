"""`POST /v2/miniprogram/message/batches/...`: batch jobs but for their parts, which `batch_parts` takes."""

import csv
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias, TypeVar

from api_adapter.batch_jobs import BatchDesk
from api_adapter.http.endpoint import Api, Endpoint, Operation, Reply
from api_adapter.http.schemas import COUNT, MOMENT, RESULT, TEXT, array_schema, object_schema
from api_adapter.inquiries import Json, refusal
from api_adapter.paths import BATCHES
from worker.contract.batch_requests import BatchCreation, BatchName, BatchRun, ErrorsPage, ResultsPage
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import ContractViolationError
from worker.contract.parsing import parse

MAX_JOB_BODY = 64 * 1024
"""Bytes of a request about a batch job, like those of a send (R15)."""
CSV_COLUMNS = ("part", "row", "requestId", "resultCode", "resultMessage")

_Request = TypeVar("_Request", bound=BatchName | BatchCreation)
_Answer: TypeAlias = Callable[[BatchDesk, _Request], Awaitable[Json]]


def _operation(model: type[_Request], answer: _Answer[_Request]) -> Operation:
    async def run(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            request = parse(model, body)
            refused = await api.batches.refusal(headers, request.appId)
            return Reply(refusal(refused) if refused else await answer(api.batches, request))
        except ContractViolationError as violation:
            return Reply(refusal(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation))))

    return run


async def _errors(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    reply = await _errors_json(api, headers, body)
    page = reply.content
    if isinstance(page, bytes) or "items" not in page or not parse(ErrorsPage, body).csv:
        return reply
    following = {"Next-Page": page["next"]} if page["next"] else {}
    return Reply(errors_csv(page["items"]), {"Content-Type": "text/csv; charset=utf-8", **following})


def errors_csv(items: Iterable[Json]) -> bytes:
    """Return rejected rows as CSV with a head."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS)
    writer.writeheader()
    writer.writerows(items)
    return text.getvalue().encode()


_PARTS = array_schema({**COUNT, "description": "number of a part that has to be uploaded again"})
_EXAMPLES: Json = {
    "type": "object",
    "additionalProperties": object_schema({"rows": COUNT, "firstRow": COUNT, "message": TEXT}),
}
_RECEIVED: Json = {"accepted": COUNT, "duplicate": COUNT, "rejected": COUNT}
_STATUS = object_schema(
    {
        "result": RESULT,
        "appId": TEXT,
        "batchId": TEXT,
        "state": {"enum": ["HELD", "RUNNING", "PAUSED", "CANCELLED"]},
        "createdAt": MOMENT,
        "changedAt": MOMENT,
        "parts": COUNT,
        "lacking": _PARTS,
        "received": COUNT,
        **_RECEIVED,
        "open": COUNT,
        "S": COUNT,
        "U": COUNT,
        "F": COUNT,
        "forgotten": COUNT,
        "settledAt": {**MOMENT, "description": "when it was seen that nothing is open any more; null before"},
        "rate": {
            "type": ["number", "null"],
            "description": "outcomes a second since it was run or resumed, until settledAt",
        },
        "eta": {**MOMENT, "description": "when the last message will have its outcome, at this rate"},
    },
    required=["result"],
)
_LINT = object_schema(
    {
        "result": RESULT,
        "ready": {"type": "boolean", "description": "whether `run` would run it"},
        "lacking": _PARTS,
        **_RECEIVED,
        "parts": array_schema(
            object_schema(
                {
                    "part": COUNT,
                    "rows": COUNT,
                    "done": {"type": "boolean"},
                    "codes": {**_EXAMPLES, "description": "the rejected rows by resultCode"},
                    "remarks": {**_EXAMPLES, "description": "the lint of accepted rows by its text"},
                }
            )
        ),
    },
    required=["result"],
)
_NEXT: Json = {"type": ["string", "null"], "description": "`after` of the next page; null: there is none"}
_RESULTS = object_schema(
    {
        "result": RESULT,
        "items": array_schema(
            object_schema(
                {
                    "part": COUNT,
                    "row": COUNT,
                    "requestId": TEXT,
                    "messageId": TEXT,
                    "status": {"enum": ["S", "U", "F"]},
                    "reason": {"enum": ["OPEN", "UNANSWERED", None]},
                    "settledBy": MOMENT,
                    "partial": {"type": "boolean"},
                }
            )
        ),
        "next": _NEXT,
    },
    required=["result"],
)
_ERROR = object_schema({"part": COUNT, "row": COUNT, **dict.fromkeys(CSV_COLUMNS[2:], TEXT)})
_ERRORS = object_schema({"result": RESULT, "items": array_schema(_ERROR), "next": _NEXT}, required=["result"])


_SCHEMAS = {"BatchStatus": _STATUS, "BatchLint": _LINT, "BatchResults": _RESULTS, "BatchErrors": _ERRORS}


def _endpoint(verb: str, model: type[_Request], answer: _Answer[_Request], summary: str, schema: str) -> Endpoint:
    return Endpoint(
        path=BATCHES + verb,
        name=f"batch{verb.capitalize()}",
        summary=summary,
        request=model,
        answer=schema,
        run=_operation(model, answer),
        max_body=MAX_JOB_BODY,
        schemas=_SCHEMAS,
    )


_errors_json = _operation(ErrorsPage, BatchDesk.errors)

BATCH_JOBS: tuple[Endpoint, ...] = (
    _endpoint("create", BatchCreation, BatchDesk.create, "Define a batch and what its rows share", "BatchStatus"),
    _endpoint("lint", BatchName, BatchDesk.lint, "What is wrong with a batch, before it runs", "BatchLint"),
    _endpoint("run", BatchRun, BatchDesk.run, "Let a batch be sent", "BatchStatus"),
    _endpoint("pause", BatchName, BatchDesk.pause, "Keep what was not sent from being sent", "BatchStatus"),
    _endpoint("resume", BatchName, BatchDesk.resume, "Let a paused batch go on", "BatchStatus"),
    _endpoint("cancel", BatchName, BatchDesk.cancel, "End what was not sent, for good", "BatchStatus"),
    _endpoint("status", BatchName, BatchDesk.status, "How far a batch is", "BatchStatus"),
    _endpoint("results", ResultsPage, BatchDesk.results, "Outcomes by row, a page at a time", "BatchResults"),
    replace(
        _endpoint("errors", ErrorsPage, BatchDesk.errors, "Rejected rows, a page at a time", "BatchErrors"),
        run=_errors,
        media_types=("text/csv",),
        headers={
            "Next-Page": {"schema": TEXT, "description": "of CSV: `after` of the next page; absent: there is none"}
        },
    ),
)
