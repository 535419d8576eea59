"""One send from its bytes or fields: well-formed, and of an appId that its caller may send for (CONTRACT R1-R15)."""

from typing import Any, TypeAlias

from api_adapter.admitting import Send
from api_adapter.clients import Caller
from api_adapter.limiting import LimitsOf
from api_adapter.taking import SendResult
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import ContractViolationError
from worker.contract.fingerprint import fingerprint
from worker.contract.identity import message_id
from worker.contract.parsing import parse, parse_fields
from worker.contract.send_fields import LARGEST_SEND
from worker.contract.send_request import SendRequest

MAX_BODY = LARGEST_SEND
"""Bytes of a body that is one send."""
TOO_LARGE = f"$: is larger than {MAX_BODY} bytes"
"""The fault of a send that is."""

Unread: TypeAlias = bytes | dict[str, Any]
"""A send that nobody has judged: the JSON, or the fields where it was a part of a larger document."""


class Reader:
    """Reads sends, whoever asks for it."""

    def __init__(self, model: type[SendRequest], rate_limits: LimitsOf) -> None:
        """Keep what validates, and the limits that sends come under."""
        self._model = model
        self._rate_limits = rate_limits

    def read(self, caller: Caller, place: int, body: Unread) -> Send | SendResult:
        """Return a send, or the refusal of one that is malformed or not the caller's to send."""
        try:
            request = self._parsed(body)
        except ContractViolationError as violation:
            return SendResult(Result.refused(ResultCode.PARAM_ILLEGAL, str(violation)))
        app_id, request_id = request.app_id, request.request_id
        if not caller.may_send_for(app_id):
            refusal = Result.refused(ResultCode.ACCESS_DENIED, "$.appId: this client may not send for it")
            return SendResult(refusal, request_id=request_id)
        return Send(
            place=place,
            client_id=caller.client_id,
            request=request,
            message_id=message_id(app_id, request_id),
            fingerprint=fingerprint(request),
            limits=self._rate_limits(caller, app_id),
        )

    def _parsed(self, body: Unread) -> SendRequest:
        if not isinstance(body, bytes):
            return parse_fields(self._model, body)
        if len(body) > MAX_BODY:
            raise ContractViolationError([TOO_LARGE])
        return parse(self._model, body)
