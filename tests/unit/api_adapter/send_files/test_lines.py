"""Lines of a file of sends."""

import hashlib
import io

from hypothesis import given
from hypothesis import strategies as st

from api_adapter.reading import MAX_BODY
from api_adapter.send_files.lines import Line, LineReader, read_line


def read(content: bytes) -> list[Line]:
    return [line for chunk in LineReader(io.BytesIO(content)).chunks() for line in chunk]


def test_lines_keep_their_numbers_whatever_ends_them() -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\n  \n\t{"b":2} \n{"c":3}'

    assert read(content) == [Line(1, b'{"a":1}', 0), Line(4, b'{"b":2}', 16), Line(5, b'{"c":3}', 26)]


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda body: body.strip(b" \t\r\n\xef") == body)))
def test_every_line_is_read_once_and_in_order(bodies: list[bytes]) -> None:
    whole = [body.replace(b"\n", b"n") for body in bodies]

    assert [line.body for line in read(b"\n".join(whole))] == whole


def test_a_line_larger_than_a_send_may_be_is_cut_and_the_next_is_whole() -> None:
    largest, larger = b"x" * MAX_BODY, b"y" * (3 * MAX_BODY)

    first, second, third = read(largest + b"\r\n" + larger + b"\n{}\n")

    assert (first.body, third) == (largest, Line(3, b"{}", 4 * MAX_BODY + 3))
    assert MAX_BODY < len(second.body) < 2 * MAX_BODY


def test_what_follows_much_white_space_is_not_cut_off() -> None:
    padded = b"{}" + b" " * (2 * MAX_BODY) + b"and more"

    (line,) = read(padded)

    assert len(line.body) > MAX_BODY


def test_chunks_are_bounded_by_lines_and_by_bytes() -> None:
    small = [len(chunk) for chunk in LineReader(io.BytesIO(b"{}\n" * 4_500)).chunks()]
    large = [len(chunk) for chunk in LineReader(io.BytesIO((b"x" * 60_000 + b"\n") * 100)).chunks()]

    assert small == [2_000, 2_000, 500]
    assert sum(large) == 100
    assert max(large) * 60_001 < 5 * 1024 * 1024


def test_the_reader_says_how_far_it_is() -> None:
    content = b"{}\n\n" + b"x" * (2 * MAX_BODY) + b"\n{}"
    reader = LineReader(io.BytesIO(content))

    list(reader.chunks())

    assert reader.bytes_read == len(content)
    assert reader.digest == hashlib.sha256(content).hexdigest()


@given(st.lists(st.sampled_from([b"{}", b"", b" x ", b"y" * (MAX_BODY + 99), b"z" * MAX_BODY])))
def test_a_line_is_read_again_from_its_offset(pieces: list[bytes]) -> None:
    content = b"\xef\xbb\xbf" + b"\r\n".join(pieces)

    assert all(read_line(io.BytesIO(content), line.number, line.offset) == line for line in read(content))


def test_what_was_sent_is_passed_over_and_the_rest_keeps_its_numbers() -> None:
    content = b"{}\n\n[]\n{}\n"
    reader = LineReader(io.BytesIO(content))

    assert reader.pass_over(4, 2) == hashlib.sha256(content[:4]).hexdigest()
    assert list(reader.chunks()) == [[Line(3, b"[]", 4), Line(4, b"{}", 7)]]
    assert reader.digest == hashlib.sha256(content).hexdigest()


def test_a_file_that_is_shorter_than_what_was_sent_has_another_digest() -> None:
    reader = LineReader(io.BytesIO(b"{}\n"))

    assert reader.pass_over(4, 2) == hashlib.sha256(b"{}\n").hexdigest()
