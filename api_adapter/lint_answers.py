"""What is said of a linted send, as JSON: for the API and for programs that read the command's output."""

from typing import Any

from api_adapter.inquiries import result_json
from api_adapter.limiting import Allowance
from api_adapter.linting import Quota, SendLint
from api_adapter.previewing import choice_json, view_json

Json = dict[str, Any]


def lint_json(lint: SendLint) -> Json:
    """Return everything that is to be said of one send; no token is in it."""
    template = lint.template
    return {
        "requestId": lint.answer.request_id,
        "fate": lint.fate,
        "result": result_json(lint.answer.result),
        "messageId": lint.answer.message_id,
        "repeatOf": lint.repeat_of,
        "templateCode": template.code if template else None,
        "templateVersion": template.version if template else None,
        "choice": choice_json(lint.choice),
        "skipped": list(lint.skipped),
        "faults": list(lint.faults),
        "remarks": list(lint.answer.remarks),
        "languages": [view_json(view) for view in lint.views],
        "cap": _cap_json(lint.quota),
        "rates": [_rate_json(allowance) for allowance in lint.allowances],
    }


def _cap_json(quota: Quota | None) -> Json | None:
    if quota is None:
        return None
    return {
        "messages": quota.cap.messages,
        "period": quota.cap.period,
        "counted": quota.counted,
        "left": quota.left,
    }


def _rate_json(allowance: Allowance) -> Json:
    limit = allowance.limit
    return {"by": limit.by, "name": limit.name, "rate": limit.rate, "left": allowance.left, "wait": allowance.wait}
