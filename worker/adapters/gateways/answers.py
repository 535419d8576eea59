"""What a wallet's HTTP answer means for each message of the call (R68, R69). Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from worker.contract.answers import Answer, AnswerKind
from worker.contract.codes import ResultCode, shorten
from worker.retry_after import wait_asked

OUR_FAULT_PAUSE = 5_000
"""Milliseconds to leave a gateway alone that refuses us as a caller: no message is at fault."""
DEFAULT_PAUSE = 1_000
LONGEST_PAUSE = 3_600_000

_OK = 200
_THROTTLES = frozenset({429, 503})
_REJECTS = frozenset({400, 413, 422})
_REFUSES_US = frozenset({401, 403, 404, 405, 406, 415})
_REDIRECTS = range(300, 400)
"""A wrong URL of ours."""
_LONGEST_CODE = 64
_CODES_THAT_REFUSE_US = frozenset(
    {
        "INVALID_SIGNATURE",
        "INVALID_CLIENT",
        "INVALID_CLIENT_STATUS",
        "ACCESS_DENIED",
        "KEY_NOT_FOUND",
        "INVALID_API",
        "METHOD_NOT_SUPPORTED",
        "MEDIA_TYPE_NOT_ACCEPTABLE",
    },
)
_REFUSALS_OF_US = _CODES_THAT_REFUSE_US - {"INVALID_API", "METHOD_NOT_SUPPORTED"} | {"HTTP_401", "HTTP_403"}
"""Codes that concern us as a caller, not the inquiry: a gateway without one can still be sent to."""
_CODES_THAT_THROTTLE = frozenset({"REQUEST_TRAFFIC_EXCEED_LIMIT"})


def read_answers(
    message_ids: Sequence[str],
    status: int,
    retry_after: str | None,
    body: bytes,
    now: int,
) -> list[Answer]:
    """Return one answer a message, in order; `now` is in milliseconds, for a Retry-After that is a date."""
    found = _read(message_ids, status, retry_after, body, now)
    return [found] * len(message_ids) if isinstance(found, Answer) else [_entry(entry) for entry in found]


def read_inquiry(
    message_ids: Sequence[str],
    status: int,
    retry_after: str | None,
    body: bytes,
    now: int,
) -> list[Answer | None]:
    """Return what became of each message, in order; None where the gateway has not got it and may be sent it.

    Its answer looks like that of a send. What it has no entry for it has never seen.
    """
    found = _read(message_ids, status, retry_after, body, now)
    if isinstance(found, Answer):
        return [_of_failed_inquiry(found)] * len(message_ids)
    return [None if entry is None else _of_inquiry(_entry(entry)) for entry in found]


def _of_failed_inquiry(answer: Answer) -> Answer:
    """Return what a call that told nothing of its messages means for each: it is as unknown as before."""
    if answer.kind is AnswerKind.THROTTLED or answer.code in _REFUSALS_OF_US:
        return answer
    return Answer(AnswerKind.UNANSWERED, answer.code, f"the inquiry failed: {answer.message}")


def _of_inquiry(answer: Answer) -> Answer | None:
    return None if answer.kind is AnswerKind.RETRYABLE else answer


def _read(
    message_ids: Sequence[str], status: int, retry_after: str | None, body: bytes, now: int
) -> list[dict[str, Any] | None] | Answer:
    """Return the entry of each message, or the one answer that holds for all of them."""
    if status == _OK:
        return _read_body(message_ids, body)
    return _for_status(status, retry_after, now)


def _for_status(status: int, retry_after: str | None, now: int) -> Answer:
    code = f"HTTP_{status}"
    if status in _THROTTLES:
        return Answer(AnswerKind.THROTTLED, code, "the gateway asked to wait", pause_of(retry_after, now))
    if status in _REJECTS:
        return Answer(AnswerKind.REJECTED, code, "the gateway rejected the call")
    if status in _REFUSES_US or status in _REDIRECTS:
        return Answer(AnswerKind.UNREACHABLE, code, "the gateway refuses our calls", OUR_FAULT_PAUSE)
    return Answer(AnswerKind.UNANSWERED, code, f"the gateway answered HTTP {status}")


def pause_of(retry_after: str | None, now: int) -> int:
    """Return the milliseconds a Retry-After header asks for, within what makes sense for a gateway."""
    return min(wait_asked(retry_after, now) or 0, LONGEST_PAUSE) or DEFAULT_PAUSE


def _read_body(message_ids: Sequence[str], body: bytes) -> list[dict[str, Any] | None] | Answer:
    try:
        answer = orjson.loads(body)
        status, code, text = _result(answer["result"])
    except (ValueError, KeyError, TypeError):
        return Answer(AnswerKind.UNANSWERED, message="the gateway's answer is unreadable")
    if status == "S":
        by_id = _by_id(answer.get("messageSendResults"))
        return [by_id.get(message_id) for message_id in message_ids]
    if status == "F":
        return _rejection(code, text)
    return Answer(AnswerKind.UNANSWERED, message=f"the gateway answered {status} {code}")


def _result(result: dict[str, Any]) -> tuple[str, str, str]:
    return (
        str(result["resultStatus"]),
        _code(result),
        shorten(str(result.get("resultMessage") or "")),
    )


def _code(result: dict[str, Any]) -> str:
    """Return the gateway's code as a record can hold it: short, and without the mark that parts a record's fields."""
    return str(result.get("resultCode") or ResultCode.PROCESS_FAIL)[:_LONGEST_CODE].replace("|", "/")


def _rejection(code: str, text: str) -> Answer:
    if code in _CODES_THAT_THROTTLE:
        return Answer(AnswerKind.THROTTLED, code, text, DEFAULT_PAUSE)
    if code in _CODES_THAT_REFUSE_US:
        return Answer(AnswerKind.UNREACHABLE, code, text, OUR_FAULT_PAUSE)
    return Answer(AnswerKind.REJECTED, code, text)


def _by_id(entries: object) -> dict[str, dict[str, Any]]:
    """Return the entries by messageId; what is no entry takes no other with it (R69)."""
    found = entries if isinstance(entries, list) else []
    return {str(entry.get("messageId")): entry for entry in found if isinstance(entry, dict)}


def _entry(entry: dict[str, Any] | None) -> Answer:
    if entry is None or not isinstance(entry.get("success"), bool):
        return Answer(AnswerKind.UNANSWERED, message="the gateway's answer lacks this message")
    if entry["success"]:
        return _DELIVERED
    kind = AnswerKind.RETRYABLE if entry.get("retry") is True else AnswerKind.REFUSED
    return Answer(kind, _code(entry), shorten(str(entry.get("resultMessage") or "")))


_DELIVERED = Answer(AnswerKind.DELIVERED)
