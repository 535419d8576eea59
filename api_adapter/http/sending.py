"""`POST /v2/miniprogram/message/send`: takes one message (CONTRACT R1-R15, R30-R42)."""

from collections.abc import Mapping

import orjson

from api_adapter.http.endpoint import Api, Endpoint, Reply
from api_adapter.http.rate_headers import RATE_HEADERS, rate_headers
from api_adapter.http.schemas import RESULT, TEXT, object_schema
from api_adapter.inquiries import Json, result_json
from api_adapter.paths import SEND
from api_adapter.reading import MAX_BODY
from api_adapter.taking import SendResult
from worker.contract.send_request import SendRequest


async def _run(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    answer = await api.intake.take_one(headers, body)
    return Reply(send_json(answer), rate_headers([answer]))


def send_json(answer: SendResult) -> Json:
    """Return the body of a send's answer; the lint goes into extendInfo, a string of JSON."""
    body: Json = {"result": result_json(answer.result)}
    if answer.message_id is not None:
        body["messageId"] = answer.message_id
    if answer.remarks:
        body["extendInfo"] = orjson.dumps({"lint": answer.remarks}).decode()
    return body


SENDING = Endpoint(
    path=SEND,
    name="send",
    summary="Take one message, to be delivered to a user as PUSH and INBOX",
    request=SendRequest,
    answer="SendAnswer",
    run=_run,
    max_body=MAX_BODY,
    headers=RATE_HEADERS,
    schemas={
        "SendAnswer": object_schema({"result": RESULT, "messageId": TEXT, "extendInfo": TEXT}, required=["result"]),
    },
)
