"""Which message an argument means: a requestId of one appId, or a messageId."""

import re
from collections.abc import Sequence

import orjson

from api_adapter.cli.arguments import ArgumentError
from worker.contract.errors import ContractViolationError
from worker.contract.identity import message_id
from worker.contract.parsing import parse
from worker.contract.requests import Inquiry

_MESSAGE_ID = re.compile(r"[0-9a-fA-F]{32}")


def candidates(given: str, app_id: str | None) -> Sequence[str]:
    """Return the messageIds that an argument may mean, the likelier first; raise ArgumentError if it means none."""
    itself = [given.lower()] if _MESSAGE_ID.fullmatch(given) else []
    if app_id is None:
        if itself:
            return itself
        raise ArgumentError("--app-id: is required for requestIds (a messageId has 32 hexadecimal digits)")
    try:
        parse(Inquiry, orjson.dumps({"appId": app_id, "requestId": given}))
    except ContractViolationError as violation:
        told_by = str(violation).replace("$.appId", "--app-id").replace("$.requestId", "REQUEST_ID")
        raise ArgumentError(told_by) from None
    return [message_id(app_id, given), *itself]
