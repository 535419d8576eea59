"""Lines of a merchant's books."""

import io

import pytest

from api_adapter.books import LONGEST_LINE, BooksError, read_books
from tests.samples import send_body, send_fields

APP = "333301"


def read(content: bytes, app_id: str | None = APP) -> list[tuple[int, str, str, str | None]]:
    return [
        (entry.line, entry.app_id, entry.message.requestId, entry.message.status)
        for entry in read_books(io.BytesIO(content), app_id)
    ]


@pytest.mark.parametrize(
    ("line", "request_id", "status"),
    [
        (b"r1", "r1", None),
        (b" r1\t", "r1", None),
        (b"r1,S", "r1", "S"),
        (b'"r1", "NEVER_SEEN"', "r1", "NEVER_SEEN"),
        (b"\xef\xbb\xbfr1,U\r", "r1", "U"),
        ("小明,F".encode(), "小明", "F"),
        (b'{"requestId":"r1"}', "r1", None),
        (b'{"requestId":"r1","status":"F"}', "r1", "F"),
        (b'{"line":1,"requestId":"r1","resultStatus":"S"}', "r1", None),
        (b'{"line":1,"requestId":"r1","resultStatus":"F"}', "r1", "NEVER_SEEN"),
        (b'{"line":1,"requestId":"r1","resultStatus":"U"}', "r1", None),
    ],
)
def test_a_line_is_a_request_id_perhaps_with_a_status(line: bytes, request_id: str, status: str | None) -> None:
    assert read(line) == [(1, APP, request_id, status)]


def test_a_file_of_sends_is_read_as_it_is() -> None:
    fields = send_fields()

    assert read(send_body(), None) == [(1, fields["appId"], fields["requestId"], None)]


def test_blank_lines_and_a_heading_are_passed_over_and_lines_keep_their_numbers() -> None:
    assert [line for line, *_ in read(b"requestId,status\n\nr1,S\n  \nr2\n")] == [3, 5]


@pytest.mark.parametrize(
    ("content", "app_id", "reason"),
    [
        (b"r1\nr2,hush\n", APP, "line 2: $.status: must be 'S', 'U', 'F' or 'NEVER_SEEN'"),
        (b"hu sh", APP, "line 1: $.requestId: must not contain @, #, ?, white space or control characters"),
        (b"x" * 65, APP, "line 1: $.requestId: must have at most 64 characters"),
        (b"x" * 64, None, "line 1: has no appId; name it with --app-id"),
        (b"{hush", APP, "line 1: is not valid JSON"),
        (b'{"requestId":null}', APP, "line 1: $.requestId: must be a string"),
        (b"r1", "x" * 33, "line 1: $.appId: must have at most 32 characters"),
    ],
)
def test_a_line_that_can_not_be_read_is_named_and_not_shown(content: bytes, app_id: str | None, reason: str) -> None:
    with pytest.raises(BooksError) as refused:
        read(content, app_id)

    assert str(refused.value) == reason


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_line_has_at_most_128_kib(more: int) -> None:
    line = b'{"requestId":"r1"'.ljust(LONGEST_LINE + more - 2) + b"}\n"

    if more > 0:
        with pytest.raises(BooksError, match=f"^line 1: is longer than {LONGEST_LINE} bytes$"):
            read(line + b"r2")
    else:
        assert [number for number, *_ in read(line + b"r2")] == [1, 2]
