"""`POST /v2/miniprogram/message/lint`: what sends would be answered and would show, without taking them."""

from collections.abc import Mapping

from pydantic import RootModel

from api_adapter.batch_sending import MAX_BATCH_BODY
from api_adapter.decompressing import BodyTooLargeError
from api_adapter.http.endpoint import Api, Endpoint, Reply, too_large
from api_adapter.http.schemas import COUNT, RESULT, TEXT, array_schema, object_schema
from api_adapter.http.views import CHOICE, VIEW
from api_adapter.inquiries import Json, refusal
from api_adapter.lint_requests import lint_request
from api_adapter.linting import Fate
from api_adapter.paths import LINT
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import ContractViolationError
from worker.contract.messages import Channel
from worker.contract.rates import LimitedBy
from worker.contract.requests import BatchSend
from worker.contract.send_request import SendRequest


class LintRequest(RootModel[SendRequest | BatchSend]):
    """One send, or up to 500 as for batchSend."""


async def _run(api: Api, headers: Mapping[str, str], body: bytes) -> Reply:
    try:
        return Reply(await lint_request(api.linter, headers, body))
    except ContractViolationError as violation:
        return Reply(refusal(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation))))
    except BodyTooLargeError as error:
        return too_large(str(error))


_CAP: Json = {
    "anyOf": [
        object_schema({"messages": COUNT, "period": COUNT, "counted": COUNT, "left": COUNT}),
        {"type": "null"},
    ],
    "description": "the wallet's cap on messages to this user in a period of milliseconds; null where it has none",
}
_RATE = object_schema(
    {"by": {"enum": [by.value for by in LimitedBy]}, "name": TEXT, "rate": COUNT, "left": COUNT, "wait": COUNT},
)
_MAYBE_TEXT: Json = {"type": ["string", "null"]}
_MAYBE_COUNT: Json = {"type": ["integer", "null"], "minimum": 0}
_FATES = {"enum": [fate.value for fate in Fate]}
_ITEM = object_schema(
    {
        "index": {**COUNT, "description": "the place in `sends`; 0 for one send"},
        "requestId": {**_MAYBE_TEXT, "description": "null where it can't be read"},
        "fate": {**_FATES, "description": "what would become of it"},
        "result": RESULT,
        "messageId": {**_MAYBE_TEXT, "description": "what the send would be answered, where that is S"},
        "repeatOf": {**_MAYBE_COUNT, "description": "index of an earlier item with this requestId"},
        "templateCode": _MAYBE_TEXT,
        "templateVersion": _MAYBE_COUNT,
        "choice": CHOICE,
        "skipped": array_schema({"enum": [channel.value for channel in Channel]}),
        "faults": {**array_schema(TEXT), "description": "why a channel of the chosen language would not be delivered"},
        "remarks": {**array_schema(TEXT), "description": "what was sent and is of no use"},
        "languages": array_schema(VIEW),
        "cap": _CAP,
        "rates": {
            **array_schema(_RATE),
            "description": "what rate limits would let through now; they refuse nothing here",
        },
    },
)
_TOTALS = object_schema({"sends": COUNT, **{fate.value: COUNT for fate in Fate}})

LINTING = Endpoint(
    path=LINT,
    name="lint",
    summary="Say what one send, or up to 500, would be answered and would show; nothing is taken",
    request=LintRequest,
    answer="LintAnswer",
    run=_run,
    max_body=MAX_BATCH_BODY,
    schemas={
        "LintAnswer": object_schema(
            {"result": RESULT, "items": array_schema(_ITEM), "totals": _TOTALS},
            required=["result"],
        ),
    },
)
