"""`POST /v2/miniprogram/message/pause`, `resume` and `cancel`: what was not sent yet (issue 4)."""

from collections.abc import Mapping

from api_adapter.http.endpoint import Api, Endpoint, Reply
from api_adapter.http.schemas import COUNT, RESULT, TEXT, array_schema, object_schema
from api_adapter.inquiries import Json
from api_adapter.origins import COUNTED, outcome_of
from api_adapter.paths import CANCEL, PAUSE, RESUME
from worker.contract.cancellations import Cancelled
from worker.contract.origin_requests import CancelRequest, OriginRequest

MAX_ORIGIN_BODY = 64 * 1024
"""Bytes of a pause or resume."""
MAX_CANCEL_BODY = 1024 * 1024
"""Bytes of a cancel: 10,000 requestIds."""


async def _pause(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.origins.pause(headers, body))


async def _resume(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.origins.resume(headers, body))


async def _cancel(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.origins.cancel(headers, body))


_STANDING = object_schema(
    {
        "result": RESULT,
        "wasPaused": {"type": "boolean", "description": "whether it was paused by itself before this call"},
        "paused": {"type": "boolean", "description": "whether it is paused now, itself or as its merchant is"},
        "waiting": {**COUNT, "description": "messages that wait for their turn or for the end of the pause"},
        "scheduled": {**COUNT, "description": "messages that wait for their time, or for the end of quiet hours"},
        "due": {**COUNT, "description": "messages that workers have, or that wait for a retry"},
    },
    required=["result"],
)
_MEANINGS = {
    Cancelled.CANCELLED: "are F CANCELLED: no gateway was asked for them, and none will be",
    Cancelled.FINAL: "have another outcome already",
    Cancelled.TRIED: "go on, as a gateway was asked for them",
    Cancelled.HELD: "go on, as a worker holds them at this moment",
    Cancelled.LATER: "were taken after the cancel began",
    Cancelled.UNKNOWN: "were never taken, or are forgotten",
}
_ITEM = object_schema(
    {"requestId": TEXT, "messageId": TEXT, "outcome": {"enum": [outcome_of(code) for code in Cancelled]}},
    required=["requestId", "messageId", "outcome"],
)
_CANCELLED: Json = object_schema(
    {
        "result": RESULT,
        **{name: {**COUNT, "description": f"messages that {_MEANINGS[code]}"} for code, name in COUNTED.items()},
        "more": {"type": "boolean", "description": "there may be more to cancel: call again"},
        "items": {**array_schema(_ITEM), "description": "one for each requestId, in order"},
    },
    required=["result"],
)

PAUSING = Endpoint(
    path=PAUSE,
    name="pause",
    summary="Keep what was not sent of an appId or of a batch from being sent; a batch job that is HELD is refused",
    request=OriginRequest,
    answer="OriginAnswer",
    run=_pause,
    max_body=MAX_ORIGIN_BODY,
    schemas={"OriginAnswer": _STANDING},
)
RESUMING = Endpoint(
    path=RESUME,
    name="resume",
    summary="Let what was paused go on; a batch job that is HELD, PAUSED or CANCELLED as such is refused",
    request=OriginRequest,
    answer="OriginAnswer",
    run=_resume,
    max_body=MAX_ORIGIN_BODY,
    schemas={"OriginAnswer": _STANDING},
)
CANCELLING = Endpoint(
    path=CANCEL,
    name="cancel",
    summary="End what was not sent: all of an appId, of one of its batches, or up to 10,000 requestIds",
    request=CancelRequest,
    answer="CancelAnswer",
    run=_cancel,
    max_body=MAX_CANCEL_BODY,
    schemas={"CancelAnswer": _CANCELLED},
)
