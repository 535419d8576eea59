"""What is written for each line: its result, and for a refused one what can be corrected and sent again."""

import orjson

from api_adapter.failed_lines import Refusal, failed_line
from api_adapter.send_files.lines import Line
from api_adapter.send_files.senders import LineResult


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
    """Return a refused line as `failed_lines` gives it back."""
    return failed_line(line.body, Refusal(line.number, answer.code, answer.message))
