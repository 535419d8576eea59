import io
import os
import threading

import pytest

from api_adapter.lint_input import one_or_many
from api_adapter.reading import MAX_BODY
from tests.samples import send_body


def lines(stream: bytes) -> list[bytes]:
    given = one_or_many(io.BytesIO(stream))
    assert not isinstance(given, bytes)
    return list(given)


@pytest.mark.parametrize("text", [b'{"appId":\n "a"}', send_body(), b"  {}\n\n"])
def test_one_object_is_one_send_however_many_lines_it_has(text: bytes) -> None:
    assert one_or_many(io.BytesIO(text)) == text


@pytest.mark.parametrize("text", [b"", b"{}\n{}\n", b"{", b"[]", b"\xff\n{}", b"\n\n"])
def test_everything_else_is_lines(text: bytes) -> None:
    assert b"".join(lines(text)) == text


@pytest.mark.parametrize("more", [-1, 0, 1, MAX_BODY])
def test_no_byte_is_lost_where_the_head_ends(more: int) -> None:
    text = (b'{"a": 1}\n' * (MAX_BODY // 4))[: MAX_BODY + more]

    assert b"".join(lines(text)) == text


def test_an_object_larger_than_a_send_is_a_line() -> None:
    at_limit, over = b'"' + b"x" * (MAX_BODY - 8) + b'"', b'"' + b"x" * (MAX_BODY - 7) + b'"'

    assert isinstance(one_or_many(io.BytesIO(b'{"a":' + at_limit + b"}")), bytes)
    assert lines(b'{"a":' + over + b"}") == [b'{"a":' + over + b"}"]


def test_a_pipe_that_gives_little_at_a_time_is_read_whole() -> None:
    text = b'{"a": 1}\n' * 20_000
    reading, writing = os.pipe()

    def trickle() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for start in range(0, len(text), 777):
                pipe.write(text[start : start + 777])

    writer = threading.Thread(target=trickle)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        given = one_or_many(pipe)
        assert not isinstance(given, bytes)
        assert b"".join(given) == text
    writer.join()
