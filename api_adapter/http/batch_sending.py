"""`POST /v2/miniprogram/message/batchSend`: takes up to 500 messages, and answers each."""

from collections.abc import Mapping

from api_adapter.batch_sending import MAX_BATCH_BODY
from api_adapter.decompressing import BodyTooLargeError
from api_adapter.http.endpoint import Api, Endpoint, Reply, too_large
from api_adapter.http.rate_headers import RATE_HEADERS, rate_headers
from api_adapter.http.schemas import COUNT, RESULT, TEXT, array_schema, object_schema
from api_adapter.inquiries import Json, refusal
from api_adapter.paths import BATCH_SEND
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import ContractViolationError
from worker.contract.requests import BatchSend


async def _run(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    try:
        answer = await api.batch_sending.send(headers, body)
    except ContractViolationError as violation:
        return Reply(refusal(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation))))
    except BodyTooLargeError as error:
        return too_large(str(error))
    return Reply(answer.content, rate_headers(answer.results))


_ITEM: Json = object_schema(
    {
        "index": {**COUNT, "description": "the place in `sends`"},
        "requestId": {"type": ["string", "null"], "description": "null where it can't be read"},
        "result": RESULT,
        "messageId": {**TEXT, "description": "where it is taken, now or before"},
        "repeatOf": {**COUNT, "description": "index of the item that was taken under the same requestId"},
        "path": {**TEXT, "description": "JSON path of the first fault"},
        "extendInfo": TEXT,
    },
    required=["index", "requestId", "result"],
)
_TOTALS = object_schema({"sends": COUNT, "S": COUNT, "U": COUNT, "F": COUNT})

BATCH_SENDING = Endpoint(
    path=BATCH_SEND,
    name="batchSend",
    summary="Take up to 500 messages, each by itself; Content-Encoding: gzip is read too",
    request=BatchSend,
    answer="BatchSendAnswer",
    run=_run,
    max_body=MAX_BATCH_BODY,
    headers=RATE_HEADERS,
    schemas={
        "BatchSendAnswer": object_schema(
            {"result": RESULT, "items": array_schema(_ITEM), "totals": _TOTALS},
            required=["result"],
        ),
    },
)
