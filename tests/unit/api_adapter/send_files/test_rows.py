"""What is written for each line."""

import json

import pytest

from api_adapter.reading import MAX_BODY
from api_adapter.send_files.lines import Line
from api_adapter.send_files.rows import failed_row, result_row
from api_adapter.send_files.senders import LineResult
from worker.contract.codes import ResultStatus

REFUSED = LineResult(ResultStatus.F, "PARAM_ILLEGAL", "$.appId: is required", "r1")
REFUSAL = {"line": 7, "resultCode": "PARAM_ILLEGAL", "resultMessage": "$.appId: is required"}


def test_a_result_tells_of_the_line_and_not_what_is_in_it() -> None:
    answer = LineResult(ResultStatus.S, "SUCCESS", "success", "r1", "m1", ("a remark",))

    assert json.loads(result_row(Line(7, b'{"accessToken":"hush"}'), answer)) == {
        "line": 7,
        "requestId": "r1",
        "messageId": "m1",
        "resultCode": "SUCCESS",
        "resultStatus": "S",
        "resultMessage": "success",
        "remarks": ["a remark"],
    }


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"n":123456789012345678901234567890,"t":"\xe5\xb0\x8f"}', {"n": 123456789012345678901234567890, "t": "小"}),
        (b'{"n":1,"refusal":{"line":1}}', {"n": 1}),
        (b'{"n":', {"text": '{"n":'}),
        (b'{"n":NaN}', {"text": '{"n":NaN}'}),
        (b"[1]", {"text": "[1]"}),
        (b"\xff\xfe", {"text": "\\xff\\xfe"}),
        (b"[" * 20_000, {"text": "[" * 20_000}),
        (b'{"n":"\\ud800"}', {"n": "\ud800"}),
        (b"x" * (MAX_BODY + 3), {}),
    ],
)
def test_a_failed_row_has_all_that_was_written_and_why_it_failed(body: bytes, fields: dict[str, object]) -> None:
    row = failed_row(Line(7, body), REFUSED)

    assert row.endswith(b"\n")
    assert b"\n" not in row[:-1]
    assert json.loads(row) == {**fields, "refusal": REFUSAL}
