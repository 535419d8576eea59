"""Look-ups of one message or of thousands (CONTRACT R70-R73)."""

from collections.abc import Mapping

from api_adapter.http.endpoint import Api, Endpoint, Reply
from api_adapter.http.schemas import COUNT, MOMENT, RESULT, TEXT, array_schema, object_schema
from api_adapter.inquiries import Json
from api_adapter.paths import BATCH_INQUIRY, INQUIRY, RECONCILE
from worker.contract.messages import WaitReason
from worker.contract.requests import BatchInquiry, Inquiry, Reconciliation

MAX_INQUIRY_BODY = 1024 * 1024
"""Bytes of a look-up (R15)."""


async def _one(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.inquiries.one(headers, body))


async def _reconcile(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.inquiries.reconcile(headers, body))


async def _many(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    return Reply(await api.inquiries.many(headers, body))


_SETTLED_BY = "until when it is U: its deadline, in milliseconds since 1970; null where it is no U, or U for good"
_WHOLE: Json = {
    "status": {"enum": ["S", "U", "F"]},
    "reason": {"enum": ["OPEN", "UNANSWERED", None], "description": "why it is U"},
    "settledBy": {"type": ["integer", "null"], "description": _SETTLED_BY},
    "partial": {"type": "boolean", "description": "F, but some channel has S"},
}
_CHANNEL: Json = {
    "channel": {"enum": ["PUSH", "INBOX"]},
    "status": {"enum": ["S", "U", "F", "SKIPPED"]},
    "reason": _WHOLE["reason"],
    "settledBy": _WHOLE["settledBy"],
    "code": {"type": ["string", "null"]},
    "message": {"type": ["string", "null"]},
    "at": MOMENT,
}
_ATTEMPT: Json = {
    "attempt": COUNT,
    "claimedAt": MOMENT,
    "settledAt": MOMENT,
    "worker": TEXT,
    "results": array_schema(TEXT),
}
_FOUND: Json = {
    "messageId": TEXT,
    "appId": TEXT,
    "requestId": TEXT,
    **_WHOLE,
    "lane": {"enum": ["single", "bulk"]},
    "templateCode": TEXT,
    "templateVersion": COUNT,
    "language": TEXT,
    "takenAt": MOMENT,
    "settledAt": MOMENT,
    "expiresAt": MOMENT,
    "nextTryAt": MOMENT,
    "waitsFor": {"enum": [*WaitReason, None], "description": "what it waits for until then"},
    "attempts": COUNT,
    "tries": COUNT,
    "crashes": COUNT,
    "deadLetter": {"type": ["string", "null"], "description": "why it became a dead letter"},
    "channels": array_schema(object_schema(_CHANNEL)),
    "timeline": array_schema(object_schema(_ATTEMPT)),
}
_ITEM = object_schema(
    {"requestId": TEXT, "messageId": TEXT, **_WHOLE, "status": {"enum": ["S", "U", "F", "NEVER_SEEN"]}},
    required=["requestId", "status"],
)

ONE_LOOK_UP = Endpoint(
    path=INQUIRY,
    name="inquiry",
    summary="Look one message up with each channel's outcome and the timeline of every attempt",
    request=Inquiry,
    answer="InquiryAnswer",
    run=_one,
    max_body=MAX_INQUIRY_BODY,
    schemas={"InquiryAnswer": object_schema({"result": RESULT, **_FOUND}, required=["result"])},
)
MANY_LOOK_UPS = Endpoint(
    path=BATCH_INQUIRY,
    name="batchInquiry",
    summary="Look up to 10,000 requestIds up: S, U, F or NEVER_SEEN for each, in order",
    request=BatchInquiry,
    answer="BatchInquiryAnswer",
    run=_many,
    max_body=MAX_INQUIRY_BODY,
    schemas={
        "BatchInquiryAnswer": object_schema({"result": RESULT, "items": array_schema(_ITEM)}, required=["result"]),
    },
)
_STATUS = {"enum": ["S", "U", "F", "NEVER_SEEN"]}
_DIFFERENCE = object_schema(
    {
        "index": {**COUNT, "description": "the place in `messages`"},
        "requestId": TEXT,
        "expected": {"enum": ["S", "U", "F", "NEVER_SEEN", None], "description": "null: that it was taken"},
        "messageId": TEXT,
        **_WHOLE,
        "status": _STATUS,
    },
    required=["index", "requestId", "expected", "status"],
)
_TOTALS = object_schema({"S": COUNT, "U": COUNT, "F": COUNT, "NEVER_SEEN": COUNT, "differences": COUNT})
RECONCILING = Endpoint(
    path=RECONCILE,
    name="reconcile",
    summary="Lay your books of up to 10,000 messages beside the ledger: each status in order, and what differs",
    request=Reconciliation,
    answer="ReconcileAnswer",
    run=_reconcile,
    max_body=MAX_INQUIRY_BODY,
    schemas={
        "ReconcileAnswer": object_schema(
            {
                "result": RESULT,
                "totals": _TOTALS,
                "statuses": array_schema(_STATUS),
                "differences": array_schema(_DIFFERENCE),
            },
            required=["result"],
        ),
    },
)
