"""Result codes and the `result` object of every answer (CONTRACT R30-R43)."""

from dataclasses import dataclass
from enum import StrEnum

MAX_RESULT_MESSAGE = 256
"""Characters that `resultMessage` may have."""


class ResultStatus(StrEnum):
    """S: taken or delivered. U: cannot say. F: final failure."""

    S = "S"
    U = "U"
    F = "F"


class ResultCode(StrEnum):
    """Every `resultCode` that tidings answers or records."""

    SUCCESS = "SUCCESS"
    UNKNOWN_EXCEPTION = "UNKNOWN_EXCEPTION"
    PARAM_ILLEGAL = "PARAM_ILLEGAL"
    TEMPLATE_NOT_EXIST = "TEMPLATE_NOT_EXIST"
    USER_NOT_SUBSCRIBED = "USER_NOT_SUBSCRIBED"
    REQUEST_TRAFFIC_EXCEED_LIMIT = "REQUEST_TRAFFIC_EXCEED_LIMIT"
    MESSAGE_SEND_EXCEED_LIMIT = "MESSAGE_SEND_EXCEED_LIMIT"
    INVALID_ACCESS_TOKEN = "INVALID_ACCESS_TOKEN"  # noqa: S105 - a result code, no secret
    EXPIRED_ACCESS_TOKEN = "EXPIRED_ACCESS_TOKEN"  # noqa: S105 - a result code, no secret
    ACCESS_DENIED = "ACCESS_DENIED"
    INVALID_CLIENT = "INVALID_CLIENT"
    INVALID_SIGNATURE = "INVALID_SIGNATURE"
    INVALID_API = "INVALID_API"
    METHOD_NOT_SUPPORTED = "METHOD_NOT_SUPPORTED"
    MEDIA_TYPE_NOT_ACCEPTABLE = "MEDIA_TYPE_NOT_ACCEPTABLE"
    REPEAT_REQ_INCONSISTENT = "REPEAT_REQ_INCONSISTENT"
    MESSAGE_NOT_EXIST = "MESSAGE_NOT_EXIST"
    BATCH_REFUSED = "BATCH_REFUSED"
    BATCH_NOT_EXIST = "BATCH_NOT_EXIST"
    BATCH_STATE_ILLEGAL = "BATCH_STATE_ILLEGAL"
    PROCESS_FAIL = "PROCESS_FAIL"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Result:
    """The `result` object of an answer."""

    code: ResultCode
    status: ResultStatus
    message: str

    @classmethod
    def refused(cls, code: ResultCode, message: str) -> "Result":
        """Return an F result; a text longer than the API allows is cut (CONTRACT, Result)."""
        return cls(code, ResultStatus.F, shorten(message))


SUCCESS = Result(ResultCode.SUCCESS, ResultStatus.S, "success")
"""The send is taken durably (R30)."""

UNKNOWN = Result(
    ResultCode.UNKNOWN_EXCEPTION,
    ResultStatus.U,
    "An API calling is failed, which is caused by unknown reasons.",
)
"""Cannot say whether it was taken: the caller repeats the same requestId (R31)."""


def shorten(text: str) -> str:
    """Cut a text to what `resultMessage` may hold."""
    return text if len(text) <= MAX_RESULT_MESSAGE else text[: MAX_RESULT_MESSAGE - 1] + "…"
