"""Requests that dribble, never end, or are far larger than they may be, over real sockets: cut off, at no cost."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import orjson
import pytest
import redis

from api_adapter.http.bodies import steady_pace
from api_adapter.http.server import LARGEST_HEAD
from tests.fuzz.running import resident
from tests.samples import send_body
from tests.servers import HOST, ApiServer, served
from tests.stacks import PATIENCE, children
from worker.adapters.redis.embedded import EmbeddedValkey

SEND = "/v2/miniprogram/message/send"
BATCH_SEND = "/v2/miniprogram/message/batchSend"
HEAD_TIMEOUT = 700
BODY_TIMEOUT = 600
PART_PACE = steady_pace(BODY_TIMEOUT)
MIB = 1 << 20
MOST_GROWTH = 24 * MIB
"""For crowds whose bytes would come to a multiple of it, were they kept."""


@pytest.fixture(scope="module")
def api(valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    data, times = tmp_path_factory.mktemp("slow") / "api", {"head_timeout": HEAD_TIMEOUT, "body_timeout": BODY_TIMEOUT}
    with served(data, valkey.url, **times) as server:
        yield server


def head(path: str = SEND, **headers: object) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: api.test", "Content-Type: application/json", "Client-Id: merchant-1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def dribbled(server: ApiServer, begin: bytes, drop: bytes) -> bytes:
    """Write the beginning, then a drop again and again; return what the server says until it hangs up."""
    found = b""
    with socket.create_connection((HOST, server.port), timeout=PATIENCE) as connection, suppress(ConnectionError):
        connection.sendall(begin)
        gone = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not gone.wait(0.05):
                    connection.sendall(drop)

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            while part := connection.recv(65_536):
                found += part
        finally:
            gone.set()
            dripping.join()
    return found


def result_of(said: bytes) -> tuple[int, str, str]:
    """Return status, resultCode and resultMessage of an answer."""
    status, _, body = said.partition(b"\r\n\r\n")
    result = orjson.loads(body)["result"]
    return int(status.split()[1]), result["resultCode"], result["resultMessage"]


TOO_SLOW = (
    408,
    "PARAM_ILLEGAL",
    f"the body is too slow: it may take {BODY_TIMEOUT} ms, and {BODY_TIMEOUT} ms more for each 1024 KiB that came",
)
PART_TOO_SLOW = (
    408,
    "PARAM_ILLEGAL",
    f"the body is too slow: it may take {PART_PACE.first} ms, and {PART_PACE.more} ms more for each 64 KiB that came",
)


@pytest.mark.parametrize(
    ("begin", "drop"),
    [
        (head(Content_Length=60_000), b" "),
        (head(Content_Length=60_000) + b"{", b""),
        (head(Transfer_Encoding="chunked"), b"1\r\n \r\n"),
        (head(Transfer_Encoding="chunked") + b"5\r\n{", b""),
        (head(BATCH_SEND, Content_Length=60_000, Content_Encoding="gzip") + b"\x1f\x8b", b"\0"),
    ],
    ids=["dribbles", "stops", "dribbles in chunks", "stops within a chunk", "dribbles gzip"],
)
def test_a_body_that_takes_too_long_is_408_and_says_so(api: ApiServer, begin: bytes, drop: bytes) -> None:
    assert result_of(dribbled(api, begin, drop)) == TOO_SLOW


@pytest.mark.parametrize(
    ("begin", "drop"),
    [(b"POST ", b"/"), (head()[:-2], b"X-More: x\r\n"), (b"", b""), (head()[:40], b"")],
    ids=["its target dribbles", "its headers dribble", "nothing comes", "it stops"],
)
def test_a_head_that_takes_too_long_is_hung_up_on(api: ApiServer, begin: bytes, drop: bytes) -> None:
    begun = time.monotonic()

    assert dribbled(api, begin, drop) == b""
    assert time.monotonic() - begun >= HEAD_TIMEOUT / 1000


def status_of(api: ApiServer, begin: bytes) -> bytes:
    """Return the status of the answer to a whole request."""
    with socket.create_connection((HOST, api.port), timeout=PATIENCE) as connection, suppress(ConnectionError):
        connection.sendall(begin)
        return connection.recv(65_536).split(b" ", 2)[1]
    return b"reset"


def test_a_head_of_64_kib_is_read_and_a_larger_one_is_431(api: ApiServer) -> None:
    usual = head(Content_Length=2, X="")
    heads = [head(Content_Length=2, X="x" * (LARGEST_HEAD - len(usual) + more)) for more in (-1_000, 0, 100_000)]

    assert [status_of(api, one + b"{}") for one in heads] == [b"200", b"200", b"431"]


def test_a_request_has_at_most_100_headers(api: ApiServer) -> None:
    usual = head(Content_Length=2).count(b"\r\n") - 2

    statuses = [
        status_of(api, head(Content_Length=2)[:-2] + b"X: x\r\n" * (100 - usual + more) + b"\r\n{}")
        for more in (-1, 0, 1)
    ]

    assert statuses == [b"200", b"200", b"431"]


def test_a_body_that_is_slow_and_in_time_is_answered(api: ApiServer) -> None:
    body = send_body(templates=[])
    with socket.create_connection((HOST, api.port), timeout=PATIENCE) as connection:
        connection.sendall(head(Content_Length=len(body), Connection="close"))
        time.sleep(BODY_TIMEOUT / 4000)
        connection.sendall(body)
        said = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert result_of(said)[:2] == (200, "PARAM_ILLEGAL")


def test_a_part_has_more_time_for_what_came_and_then_no_more(api: ApiServer) -> None:
    path = "/v2/miniprogram/message/batches/parts?appId=shop&batchId=b1&part=1&sha256=00"
    begin = head(path, Content_Length=16 * MIB).replace(b"application/json", b"application/x-ndjson")
    with socket.create_connection((HOST, api.port), timeout=PATIENCE) as connection:
        begun = time.monotonic()
        connection.sendall(begin + b" " * (3 * MIB))
        said = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert result_of(said) == PART_TOO_SLOW
    assert time.monotonic() - begun >= PART_PACE.time_of(3 * MIB)


def grown(server: ApiServer, crowd: Callable[[], object]) -> int:
    """Return by how many bytes the server's memory is larger after the second of two crowds than after the first."""
    (pid,) = children(server.command.process.pid)
    crowd()
    before = resident(pid)
    crowd()
    return resident(pid) - before


def test_crowds_that_dribble_keep_nobody_out_and_leave_nothing_behind(api: ApiServer) -> None:
    begin = head(Content_Length=60_000) + b" " * 50_000
    answers: list[tuple[int, str, str]] = []

    def crowd() -> None:
        connections = [socket.create_connection((HOST, api.port), timeout=PATIENCE) for _ in range(200)]
        for connection in connections:
            connection.sendall(begin)
        assert api.post(SEND, send_body(templates=[])).code == "PARAM_ILLEGAL"
        for connection in connections:
            answers.append(result_of(b"".join(iter(lambda one=connection: one.recv(65_536), b""))))  # type: ignore[misc]
            connection.close()

    assert grown(api, crowd) < MOST_GROWTH
    assert set(answers) == {TOO_SLOW}
    assert len(answers) == 400


def status_of_endless(server: ApiServer) -> int:
    """Write chunks without end until the server hangs up; return the status that it answered."""
    found = b""
    with socket.create_connection((HOST, server.port), timeout=PATIENCE) as connection:
        connection.sendall(head(Transfer_Encoding="chunked"))
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        with suppress(ConnectionError):
            for _ in range(4):
                connection.sendall(chunk)
        with suppress(ConnectionError):
            while b"\r\n" not in found and (part := connection.recv(65_536)):
                found += part
    return int(found.split()[1])


def test_R15_bodies_without_end_are_413_and_leave_nothing_behind(api: ApiServer) -> None:
    statuses: set[int] = set()

    def crowd() -> None:
        with ThreadPoolExecutor(16) as callers:
            statuses.update(callers.map(lambda _: status_of_endless(api), range(200)))

    assert grown(api, crowd) < MOST_GROWTH
    assert statuses == {413}


def test_R15_gzip_bombs_are_413_and_leave_nothing_behind(api: ApiServer) -> None:
    bomb = gzip.compress(b" " * (128 * MIB), 9)
    headers = {"Content-Type": "application/json", "Client-Id": "merchant-1", "Content-Encoding": "gzip"}
    answers: set[tuple[int, str]] = set()
    assert len(bomb) < MIB

    def crowd() -> None:
        with ThreadPoolExecutor(8) as callers:
            found = callers.map(lambda _: api.call("POST", BATCH_SEND, bomb, headers), range(24))
            answers.update((answer.status, answer.code) for answer in found)

    assert grown(api, crowd) < MOST_GROWTH
    assert answers == {(413, "PARAM_ILLEGAL")}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MIB,
        b'{"a":' * (MIB // 5),
        b"[" + b"1," * (MIB // 2 - 2) + b"1]",
        b'{"sends": [' + b"{}," * (MIB // 3 - 20) + b"{}]}",
        b"1" * MIB,
        b'"' + b"\\u0041" * (MIB // 6 - 2) + b'"',
        orjson.dumps({f"k{number}": 0 for number in range(80_000)}),
    ],
    ids=["deep arrays", "deep objects", "many numbers", "many sends", "one number", "one escaped text", "many names"],
)
def test_R15_json_that_is_made_to_cost_much_is_refused_like_any_other(api: ApiServer, body: bytes) -> None:
    answer = api.post(BATCH_SEND, body[:MIB])

    assert (answer.status, answer.code) == (200, "PARAM_ILLEGAL")
