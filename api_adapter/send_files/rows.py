"""What is written for each line: its result, and for a refused one what can be corrected and sent again."""

import json
from typing import Any, NoReturn

import orjson

from api_adapter.send_files.lines import Line
from api_adapter.send_files.senders import LineResult

REFUSAL = "refusal"
"""Field of a failed row with why it failed; the API ignores it (R13), so a corrected row may be sent as it is."""


def result_row(line: Line, answer: LineResult) -> bytes:
    """Return a line's result as a line of JSON; nothing of the send but its requestId."""
    row = {
        "line": line.number,
        "requestId": answer.request_id,
        "messageId": answer.message_id,
        "resultCode": answer.code,
        "resultStatus": answer.status,
        "resultMessage": answer.message,
        "remarks": answer.remarks,
    }
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def failed_row(line: Line, answer: LineResult) -> bytes:
    """Return a refused line with the reason, as a line of JSON: all that the merchant wrote, its token too."""
    refusal = {"line": line.number, "resultCode": answer.code, "resultMessage": answer.message}
    row = {**_written(line), REFUSAL: refusal}
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


def _written(line: Line) -> dict[str, Any]:
    """Return the fields of a send; of a line that is none, its text, for a person to correct."""
    if line.is_cut:
        return {}
    try:
        # Not by orjson, which rounds numbers beyond 64 bits.
        fields = json.loads(line.body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {"text": line.body.decode(errors="backslashreplace")}


def _refuse(_: str) -> NoReturn:
    raise ValueError
