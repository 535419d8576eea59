import io

from hypothesis import given
from hypothesis import strategies as st

from api_adapter.batch_files import parts_of
from api_adapter.batch_records import RowFormat
from api_adapter.batch_rows import read_rows

HEAD = b"requestId,accessToken,p.x\n"


def test_a_large_file_is_cut_at_records_and_every_part_has_the_head() -> None:
    rows = b"".join(b'r%d,t,"a\nb ""c"" %s"\n' % (number, b"x" * 900) for number in range(20_000))

    parts = [part.content for part in parts_of(RowFormat.CSV, io.BytesIO(HEAD + rows))]

    assert len(parts) == 3
    assert all(part.startswith(HEAD) for part in parts)
    assert b"".join(part.removeprefix(HEAD) for part in parts) == rows


def test_a_file_of_many_rows_is_cut_by_their_number() -> None:
    parts = [part.content for part in parts_of(RowFormat.JSONL, io.BytesIO(b"{}\n" * 120_000))]

    assert [part.count(b"\n") for part in parts] == [50_000, 50_000, 20_000]


def test_a_file_without_rows_has_no_part() -> None:
    assert list(parts_of(RowFormat.CSV, io.BytesIO(HEAD))) == []
    assert list(parts_of(RowFormat.JSONL, io.BytesIO(b""))) == []


def test_a_quote_that_is_never_closed_ends_with_what_a_record_may_have() -> None:
    rows = b'r,t,"\n' + b"r,t,x\n" * 200_000

    parts = [part.content for part in parts_of(RowFormat.CSV, io.BytesIO(HEAD + rows))]

    assert b"".join(part.removeprefix(HEAD) for part in parts) == rows
    assert len(parts) > 1


@given(st.lists(st.text(st.sampled_from('ab"\n'), max_size=5)))
def test_whatever_is_quoted_no_record_is_cut(cells: list[str]) -> None:
    rows = "".join('r,t,"{}"\n'.format(cell.replace('"', '""')) for cell in cells).encode()

    parts = [part.content for part in parts_of(RowFormat.CSV, io.BytesIO(HEAD + rows))]

    assert sum(len(list(read_rows(RowFormat.CSV, [part]))) for part in parts) == len(cells)
