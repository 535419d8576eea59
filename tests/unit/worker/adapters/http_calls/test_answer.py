import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.http_calls.answer import LARGEST_ANSWER, LARGEST_HEAD, AnswerReader, Reply
from worker.adapters.http_calls.errors import BrokenAnswerError, UnreadableAnswerError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;mark=x\r\n{\r\n001\r\n}\r\n0\r\nRetry-After: 9\r\n\r\n"
)
ENDLESS = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n{}"
ANSWERS = [
    OK,
    CHUNKED,
    ENDLESS,
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.0 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 None\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
]


def read(*parts: bytes) -> Reply | str | None:
    """Return the answer, as soon as it is whole, or why there can't be one, or None."""
    return read_on(AnswerReader(), parts)


def read_on(reader: AnswerReader, parts: Iterable[bytes]) -> Reply | str | None:
    try:
        return next(filter(None, map(reader.feed, parts)), None)
    except UnreadableAnswerError as error:
        return str(error)


def stays(answer: bytes) -> bool:
    reader = AnswerReader()
    assert reader.feed(answer) is not None
    return reader.may_stay


def ended(*parts: bytes) -> Reply | str:
    """Return what there is as the server closes after the parts."""
    reader = AnswerReader()
    assert read_on(reader, parts) is None
    return end_of(reader)


def end_of(reader: AnswerReader) -> Reply | str:
    try:
        return reader.end()
    except BrokenAnswerError as error:
        return str(error)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("answer", [OK, CHUNKED], ids=["by length", "in chunks"])
def test_an_answer_is_whole_with_its_last_byte_and_the_connection_stays(answer: bytes) -> None:
    assert read(answer[:-1]) is None
    assert read(answer) == Reply(200, None, b"{}")
    assert read(*(answer[at : at + 1] for at in range(len(answer)))) == Reply(200, None, b"{}")
    assert stays(answer)


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    assert ended(ENDLESS) == Reply(200, None, b"{}")
    assert ended(ENDLESS[:-2]) == Reply(200, None, b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: y\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        OK[:-1],
        CHUNKED[:-2],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n",
    ],
)
def test_any_other_that_ends_with_the_connection_is_broken(answer: bytes) -> None:
    assert ended(answer) == "closed before the answer's end"


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body_whatever_their_head_says(status: int) -> None:
    assert read(b"HTTP/1.1 %d None\r\n\r\n" % status) == Reply(status, None, b"")
    assert read(b"HTTP/1.1 %d None\r\nContent-Length: 5\r\n\r\n" % status) == Reply(status, None, b"")
    assert read(b"HTTP/1.1 %d None\r\nTransfer-Encoding: chunked\r\n\r\n" % status) == Reply(status, None, b"")


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nRetry-After: 9\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nContent-Length: 0\r\n\r\n" * 3,
    ],
)
def test_interim_answers_are_passed_over(interim: bytes) -> None:
    assert read(interim) is None
    assert read(interim + OK) == Reply(200, None, b"{}")
    assert stays(interim + OK)
    assert ended(interim + ENDLESS) == Reply(200, None, b"{}")


def test_the_first_retry_after_of_the_head_counts() -> None:
    head = b"HTTP/1.1 503 Busy\r\nRETRY-after:  7 \r\nRetry-After: 8\r\nContent-Length: 0\r\n\r\n"

    assert read(head) == Reply(503, "7", b"")
    assert read(CHUNKED) == Reply(200, None, b"{}")
    assert read(b"HTTP/1.1 503 Busy\r\nRetry-After: \xe9\r\nContent-Length: 0\r\n\r\n") == Reply(503, "é", b"")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"x",
        OK + OK,
        OK + b"HTTP/1.1 100 Continue\r\n\r\n",
        CHUNKED + b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}{}",
    ],
)
def test_a_connection_whose_server_closes_or_says_more_carries_nothing_else(answer: bytes) -> None:
    assert read(answer) == Reply(200, None, b"{}")
    assert not stays(answer)


def with_headers(*headers: bytes, body: bytes = b"{}") -> bytes:
    return b"".join((b"HTTP/1.1 200 OK\r\n", *(header + b"\r\n" for header in headers), b"\r\n", body))


IN_CHUNKS = b"Transfer-Encoding: chunked"
NOT_HTTP = "Expected HTTP/, RTSP/ or ICE/"
BAD_LENGTH = "Invalid character in Content-Length"
BAD_STATUS = "Invalid status code"
BAD_CHUNK = "Invalid character in chunk size"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"SMTP ready\r\n", NOT_HTTP),
        (b"\x00", NOT_HTTP),
        (b"HTTP/1.1 OK\r\n\r\n", BAD_STATUS),
        (b"HTTP/1.1 99 Low\r\n\r\n", BAD_STATUS),
        (b"HTTP/1.1 20\x00 OK\r\n\r\n", BAD_STATUS),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", "Missing expected CR after response line"),
        (with_headers(b"Content-Length: -2"), BAD_LENGTH),
        (with_headers(b"Content-Length: 2, 2"), BAD_LENGTH),
        (with_headers(b"Content-Length: 99999999999999999999"), "Content-Length overflow"),
        (with_headers(b"Content-Length: 2", b"Content-Length: 2"), "Duplicate Content-Length"),
        (with_headers(b"Content-Length: 2", IN_CHUNKS), "Transfer-Encoding can't be present with Content-Length"),
        (with_headers(IN_CHUNKS, b"Content-Length: 2"), "Content-Length can't be present with Transfer-Encoding"),
        (with_headers(IN_CHUNKS, body=b"-2\r\n{}"), BAD_CHUNK),
        (with_headers(IN_CHUNKS, body=b"fffffffffffffffff\r\n{}"), "Chunk size overflow"),
        (with_headers(IN_CHUNKS, body=b"2\r\n{}}\r\n"), "Expected LF after chunk data"),
        (with_headers(b"X\x00: y", b"Content-Length: 2"), "Invalid header token"),
        (with_headers(b"X: \x00", b"Content-Length: 2"), "Invalid header value char"),
    ],
)
def test_what_is_no_proper_http_is_no_answer_and_says_why(answer: bytes, fault: str) -> None:
    assert read(answer) == f"no HTTP/1.1: {fault}"
    assert read(*(answer[at : at + 1] for at in range(len(answer)))) == f"no HTTP/1.1: {fault}"


def test_a_server_that_changes_the_protocol_is_not_followed() -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\n"

    assert read(switching + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n") == "it changes the protocol"
    assert read(switching + b"\r\n" + OK) == "no HTTP/1.1: Pause on CONNECT/Upgrade"


def head_of(size: int) -> bytes:
    """Return a head of that many bytes with its empty line."""
    start, rest = b"HTTP/1.1 200 OK\r\nX: ", b"\r\nContent-Length: 2\r\n\r\n"
    return start + b"x" * (size - len(start) - len(rest)) + rest


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_head_has_a_size_and_its_body_does_not_count(pieces: int) -> None:
    places = [place * LARGEST_HEAD // pieces for place in range(1, pieces)]

    assert read(*cut(head_of(LARGEST_HEAD - 1) + b"{}", places)) == Reply(200, None, b"{}")
    assert read(*cut(head_of(LARGEST_HEAD) + b"{}", places)) == Reply(200, None, b"{}")
    assert read(*cut(head_of(LARGEST_HEAD + 1) + b"{}", places)) == "its head is too large"


@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 200 " + b"x" * LARGEST_HEAD,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * (LARGEST_HEAD // 6),
        b"HTTP/1.1 200 OK\r\n" + b"a" * LARGEST_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n" * (LARGEST_HEAD // 20),
        b"\r\n" * LARGEST_HEAD,
    ],
    ids=["status", "headers", "a name", "interim answers", "empty lines"],
)
def test_a_head_without_an_end_is_left(endless: bytes) -> None:
    assert read(*cut(endless, range(0, len(endless), 5_000))) == "its head is too large"


@pytest.mark.parametrize(
    ("beyond", "reply"), [(-1, Reply), (0, Reply), (1, str)], ids=["under the limit", "at it", "over it"]
)
def test_an_answer_has_a_size(beyond: int, reply: type[Reply | str]) -> None:
    size = LARGEST_ANSWER + beyond
    frame = len(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size - frame) + b"x" * (size - frame)

    assert len(answer) == size
    assert isinstance(read(*cut(answer, range(0, size, 100_000))), reply)


def test_an_answer_of_trailers_without_an_end_is_left() -> None:
    trailers = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a" * LARGEST_ANSWER

    assert read(*cut(trailers, range(0, len(trailers), 100_000))) == "too large"


def test_a_reader_that_is_ready_again_knows_nothing_of_the_answer_before() -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n[]")
    reader.begin()

    assert reader.feed(OK) == Reply(200, None, b"{}")
    assert reader.may_stay


def mutated(answer: bytes, at: int, length: int, other: bytes) -> bytes:
    start = at % (len(answer) + 1)
    return answer[:start] + other + answer[start + length :]


@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from(ANSWERS)
        | st.builds(mutated, st.sampled_from(ANSWERS), st.integers(0, 200), st.integers(0, 9), st.binary(max_size=9)),
        max_size=3,
    ).map(b"".join),
    st.lists(st.integers(0, 400), max_size=6),
)
def test_whatever_comes_however_it_is_cut_means_the_same_and_raises_nothing_else(
    data: bytes, places: Sequence[int]
) -> None:
    whole, parted = AnswerReader(), AnswerReader()

    at_once = read_on(whole, [data])

    assert read_on(parted, cut(data, places)) == at_once
    if at_once is None:
        assert end_of(whole) == end_of(parted)
