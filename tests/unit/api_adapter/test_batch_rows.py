import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.batch_records import LONGEST_RECORD, RowFormat, UnreadableRowsError
from api_adapter.batch_rows import Row, ignored_columns, measure_rows, read_rows
from api_adapter.reading import MAX_BODY
from worker.contract.batch_jobs import MAX_PART_ROWS, Extent
from worker.contract.codes import Result

JSONL, CSV = RowFormat.JSONL, RowFormat.CSV
HEAD = b"requestId,accessToken\n"


def rows(form: RowFormat, content: bytes, size: int = 7) -> list[Row]:
    """Return the rows of a part that comes in pieces of so many bytes."""
    return list(read_rows(form, [content[at : at + size] for at in range(0, len(content), size)]))


def measured(form: RowFormat, content: bytes) -> Extent:
    return measure_rows(form, [content])


def fields(content: str) -> object:
    (row,) = rows(CSV, content.encode())
    return row.send


def told(content: bytes, form: RowFormat = CSV) -> str:
    def survey() -> None:
        measured(form, content)
        ignored_columns([content])

    with pytest.raises(UnreadableRowsError) as caught:
        survey()
    return str(caught.value)


def test_lines_of_json_are_rows_and_blank_ones_are_counted() -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\n  \n {"b":2} \n{"c":3}'

    assert rows(JSONL, content) == [Row(1, b'{"a":1}', 7), Row(4, b'{"b":2}', 7), Row(5, b'{"c":3}', 7)]
    assert measured(JSONL, content) == Extent(rows=3, last=5)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=20)), st.integers(1, 30))
def test_whatever_the_pieces_are_every_line_comes_once_and_in_order(lines: list[str], size: int) -> None:
    content = "\n".join(lines).encode()
    expected = [line.removeprefix("\ufeff") if not index else line for index, line in enumerate(lines)]

    found = [row.send for row in rows(JSONL, content, size)]

    assert found == [one for line in expected if (one := line.encode().strip(b" \t\r\n"))]


@pytest.mark.parametrize("more", [0, 1])
def test_R15_a_line_that_is_too_long_is_one_row_that_is_too_large(more: int) -> None:
    content = b"x" * (MAX_BODY + more) + b"\nnext\n"

    first, second = rows(JSONL, content, 10_000)

    assert isinstance(first.send, bytes)
    assert (len(first.send) > MAX_BODY) == bool(more)
    assert second == Row(2, b"next", 4)


def test_a_line_without_end_is_never_whole_in_memory() -> None:
    first, second = rows(JSONL, b"x" * (20 * MAX_BODY) + b"\nnext", MAX_BODY)

    assert isinstance(first.send, bytes)
    assert len(first.send) < 2 * MAX_BODY + 10
    assert second == Row(2, b"next", 4)


def test_a_csv_row_is_the_fields_of_a_send() -> None:
    assert fields(
        "requestId,accessToken,templateCode,redirectUrl,language,p.who,p.amount,p.ja-JP.who,city\n"
        'r1,t1,PAY,/1,en-US,"Ann, ""A""",12,アン,Rome\n'
    ) == {
        "requestId": "r1",
        "accessToken": "t1",
        "templateCode": "PAY",
        "redirectUrl": "/1",
        "templates": [
            {"language": "en-US", "templateParameters": {"who": 'Ann, "A"', "amount": "12"}},
            {"language": "ja-JP", "templateParameters": {"who": "アン"}},
        ],
    }


def test_an_empty_cell_is_an_absent_field() -> None:
    head = "requestId,accessToken,templateCode,language,p.who,p.ja-JP.who\n"

    assert fields(head + "r1,t1,,,,\n") == {"requestId": "r1", "accessToken": "t1"}
    assert fields(head + "r1,t1,,,,x\n") == {
        "requestId": "r1",
        "accessToken": "t1",
        "templates": [{"language": "ja-JP", "templateParameters": {"who": "x"}}],
    }


def test_parameters_without_a_language_are_those_of_the_templates_default() -> None:
    assert fields("requestId,accessToken,p.who\nr1,t1,Ann\n") == {
        "requestId": "r1",
        "accessToken": "t1",
        "templates": [{"language": None, "templateParameters": {"who": "Ann"}}],
    }


def test_csv_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    content = b'\xef\xbb\xbfrequestId,accessToken,p.who\r\nr1,t1,"two\r\nlines"\r\n\r\nr2,t2,x\r\n'

    assert [row.number for row in rows(CSV, content)] == [2, 4]
    assert measured(CSV, content) == Extent(rows=2, last=4)


def test_a_row_with_other_cells_than_the_head_is_refused_alone() -> None:
    first, second, third = rows(CSV, HEAD + b"r1\nr2,t2,x\nr3,t3\n")

    assert isinstance(first.send, Result)
    assert isinstance(second.send, Result)
    assert third.send == {"requestId": "r3", "accessToken": "t3"}


def test_columns_that_mean_nothing_are_named() -> None:
    assert ignored_columns([b"requestId,accessToken,city,amount\n"]) == ("city", "amount")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "row 1: the head is missing"),
        (b"requestId\n", "row 1: the head lacks the column accessToken"),
        (b"requestId;accessToken\n", "row 1: the head lacks the column requestId"),
        (b"requestId,accessToken,requestId\n", "row 1: column 1 is there twice"),
        (b"requestId,accessToken,p.a-b\n", "row 1: column 3 must be p.<name> or p.<language>.<name>"),
        (HEAD + b"r1,\xff\n", "row 2: is not UTF-8"),
        (HEAD + b'r1,"a"b\n', "row 2: ',' expected after '\"'"),
        (HEAD + b'r1,"a\n', "row 2: unexpected end of data"),
    ],
)
def test_what_is_no_csv_is_refused_and_the_row_named(content: bytes, expected: str) -> None:
    assert told(content) == expected


def test_a_quote_that_is_never_closed_is_found_before_all_is_in_memory() -> None:
    line = b"x" * 1_000 + b"\n"

    assert told(HEAD + b'r1,"' + line * 1_000).startswith("row 2: ")


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("form", RowFormat)
def test_a_part_has_so_many_rows_and_not_one_more(form: RowFormat, more: int) -> None:
    head = HEAD if form is CSV else b"{}\n"
    content = head + b"r,t\n" * (MAX_PART_ROWS - 1 + more)

    if more:
        assert told(content, form) == "has more than 100000 rows; upload more parts"
    else:
        assert measured(form, content).last == MAX_PART_ROWS


@given(st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), max_size=8), st.integers(1, 40))
def test_whatever_a_csv_writer_wrote_is_read(cells: list[list[str]], size: int) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["requestId", "accessToken", "p.x"], *cells])
    try:
        content = text.getvalue().encode()
    except UnicodeEncodeError:
        return

    found = rows(CSV, content, size)

    assert [row.send for row in found] == [
        {name: cell for name, cell in zip(("requestId", "accessToken"), row, strict=False) if cell}
        | ({"templates": [{"language": None, "templateParameters": {"x": row[2]}}]} if row[2] else {})
        for row in cells
    ]


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_csv_record_has_256_kib_and_not_one_byte_more(more: int) -> None:
    around = len(b'r1,""\n')
    record = b'r1,"' + b"x" * (LONGEST_RECORD + more - around) + b'"\n'

    if more > 0:
        assert told(HEAD + record) == f"row 2: is longer than {LONGEST_RECORD} bytes, or its quotes are not closed"
    else:
        assert measured(CSV, HEAD + record) == Extent(rows=1, last=2)


@pytest.mark.parametrize("length", [63, 64, 65])
@pytest.mark.parametrize("column", ["p.{}", "p.ja.{}", "p.{}.who"])
def test_names_of_columns_have_up_to_64_characters_each(column: str, length: int) -> None:
    head = f"requestId,accessToken,{column.format('n' * length)}\n".encode()

    if length > 64:
        assert told(head) == "row 1: column 3 must be p.<name> or p.<language>.<name>"
    else:
        assert ignored_columns([head]) == ()
