"""`POST /v2/miniprogram/message/batches/parts`: takes a part of a batch job, JSON lines or CSV, plain or gzip.

Which part it is stands in the query, which is signed with the path (R23), as the body is with its digest.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api_adapter.batch_records import RowFormat
from api_adapter.batch_uploading import MAX_PART_BODY, PartBody
from api_adapter.clients import CLIENT_ID
from api_adapter.decompressing import BodyTooLargeError, Encoding, encoding_of
from api_adapter.http.bodies import steady_pace
from api_adapter.http.calls import is_media_type, reply_before_body, reply_to_post, signed
from api_adapter.http.endpoint import Api, Reply, too_large
from api_adapter.http.schemas import COUNT, RESULT, TEXT, array_schema, object_schema
from api_adapter.inquiries import Json, refusal
from worker.contract.batch_requests import PartName
from worker.contract.codes import Result, ResultCode, ResultStatus
from worker.contract.errors import ContractViolationError
from worker.contract.parsing import parse_fields

_NO_MEDIA_TYPE = Reply(
    refusal(
        Result.refused(
            ResultCode.MEDIA_TYPE_NOT_ACCEPTABLE,
            f"header Content-Type: must be {' or '.join(RowFormat)}, in UTF-8",
        )
    )
)
_BUSY = Reply(
    refusal(Result(ResultCode.UNKNOWN_EXCEPTION, ResultStatus.U, "too many parts come at once; upload it again")),
    {"Retry-After": "1"},
)
_NO_ENCODING = Reply(
    refusal(Result.refused(ResultCode.PARAM_ILLEGAL, "header Content-Encoding: must be gzip, or absent"))
)


async def uploaded(request: Request) -> Response:
    """Answer an upload."""
    content_type = request.headers.get("content-type", "")
    rows = next((one for one in RowFormat if is_media_type(one, content_type)), None)
    if rows is None:
        return signed(request, _NO_MEDIA_TYPE)
    encoding = encoding_of(request.headers)
    if encoding is None:
        return signed(request, _NO_ENCODING)
    refused = await reply_before_body(request)
    if refused:
        return signed(request, refused)
    api: Api = request.state.api
    with api.uploads.places.take(request.headers[CLIENT_ID]) as has_place:
        if not has_place:
            return signed(request, _BUSY)
        run = partial(_run, dict(request.query_params), rows, encoding)
        return signed(request, await reply_to_post(run, MAX_PART_BODY, request, steady_pace(api.body_timeout)))


async def _run(
    query: Mapping[str, str], rows: RowFormat, encoding: Encoding, api: Api, headers: Mapping[str, str], body: bytes
) -> Reply:
    try:
        name = _part_name(query)
        refused = await api.batches.refusal(headers, name.appId)
        if refused:
            return Reply(refusal(refused))
        return Reply(await api.uploads.upload(headers, name, PartBody(rows, encoding, body)))
    except ContractViolationError as violation:
        return Reply(refusal(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation))))
    except BodyTooLargeError as error:
        return too_large(str(error))


def _part_name(query: Mapping[str, str]) -> PartName:
    try:
        return parse_fields(PartName, query)
    except ContractViolationError as violation:
        raise ContractViolationError([fault.replace("$.", "query ", 1) for fault in violation.faults]) from None


def _parameters() -> list[Json]:
    """Return the query's parameters for the OpenAPI document."""
    properties = PartName.model_json_schema()["properties"]
    return [{"in": "query", "name": name, "required": True, "schema": schema} for name, schema in properties.items()]


PART_SCHEMA = object_schema(
    {
        "result": RESULT,
        "part": COUNT,
        "rows": COUNT,
        "accepted": COUNT,
        "duplicate": COUNT,
        "rejected": COUNT,
        "codes": {"type": "object", "description": "the rejected rows by resultCode, and the first of each"},
        "ignoredColumns": array_schema({**TEXT, "description": "a column of CSV that means nothing"}),
    },
    required=["result"],
)
UPLOADING: Final[Json] = {
    "operationId": "batchPart",
    "summary": "Take a part of a batch: JSON lines or CSV; Content-Encoding: gzip is read too",
    "parameters": _parameters(),
    "requestBody": {
        "required": True,
        "content": {one.value: {"schema": {"type": "string"}} for one in RowFormat},
    },
}
