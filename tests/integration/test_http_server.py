import asyncio
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.front_desk import APP, TOKEN, grant, payment_notice, wallet
from tests.samples import send_body
from tests.servers import HOST, TOKEN_SECRET, ApiServer, HttpAnswer, Valkey, read_answer, served, valkey
from tests.stacks import descendants, running, tidings, wait_until
from worker.bootstrap import Addresses, services
from worker.contract.identity import message_id
from worker.settings import Settings

SEND = "/v2/miniprogram/message/send"
INQUIRY = "/v2/miniprogram/message/inquiry"
BATCH_INQUIRY = "/v2/miniprogram/message/batchInquiry"
JSON = {"Content-Type": "application/json", "Client-Id": "merchant-1"}
KIB = 1024
A_FEW_SECONDS = 10.0
SILENCE = 3.0
"""Seconds after which a server that says nothing waits for more."""


async def fill(url: str) -> None:
    settings = Settings(redis_url=url, token_secret=TOKEN_SECRET)
    async with services(settings, Addresses(url, url)) as found:
        await found.users.put([(TOKEN, grant())])
        await found.wallets.put(wallet())
        await found.templates.put(payment_notice())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A ledger that knows what the samples need."""
    with valkey(tmp_path_factory.mktemp("store") / "data") as server:
        server.start()
        asyncio.run(fill(server.url))
        yield server


@pytest.fixture(scope="module")
def api(store: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One server for all tests that leave it as it was."""
    with served(tmp_path_factory.mktemp("api") / "data", store.url) as server:
        yield server


def sent(server: ApiServer, request_id: str, **replaced: object) -> HttpAnswer:
    return server.post(SEND, send_body(requestId=request_id, **replaced))


def exchanged(server: ApiServer, raw: bytes) -> bytes:
    """Return what the server says to these bytes until it hangs up, in whatever way, or waits for more of them."""
    found = b""
    # The connection stays open both ways: who hangs up halfway is not answered.
    with (
        socket.create_connection((HOST, server.port), timeout=SILENCE) as connection,
        suppress(TimeoutError, ConnectionError),
    ):
        connection.sendall(raw)
        while part := connection.recv(65_536):
            found += part
    return found


@pytest.mark.parametrize("prefix", ["", "/api/open"])
def test_R30_R50_R70_a_send_is_taken_repeated_and_looked_up(api: ApiServer, prefix: str) -> None:
    request_id = f"send{prefix.replace('/', '-')}"
    body = send_body(requestId=request_id)

    taken, repeated = (api.post(prefix + SEND, body) for _ in range(2))
    other = api.post(prefix + SEND, send_body(requestId=request_id, redirectUrl="/other"))
    found = api.post(prefix + INQUIRY, orjson.dumps({"messageId": taken.body["messageId"]}))

    assert (taken.status, taken.code, taken.body["messageId"]) == (200, "SUCCESS", message_id(APP, request_id))
    assert repeated == taken
    assert (other.status, other.code) == (200, "REPEAT_REQ_INCONSISTENT")
    assert (found.body["requestId"], found.body["status"], found.body["reason"]) == (request_id, "U", "OPEN")


def test_metrics_are_scraped_over_the_wire(api: ApiServer) -> None:
    sent(api, "scraped")
    connection = api.connection()

    connection.request("GET", "/metrics")
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()

    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert response.status == 200
    assert [sample.value for sample in families["tidings_ledger_up"].samples] == [1]
    accepted = families["tidings_deliveries_accepted"].samples
    assert {sample.labels["app_id"] for sample in accepted if sample.value >= 1} == {APP}


def test_R50_the_same_send_on_many_connections_at_once_is_taken_once(api: ApiServer) -> None:
    with ThreadPoolExecutor(40) as callers:
        answers = list(callers.map(lambda _: sent(api, "at-once"), range(400)))

    assert {(answer.code, answer.body.get("messageId")) for answer in answers} == {
        ("SUCCESS", message_id(APP, "at-once")),
    }


def test_R72_ten_thousand_are_looked_up_in_order(api: ApiServer) -> None:
    known = [f"many-{number}" for number in range(0, 10_000, 1000)]
    assert {sent(api, request_id).code for request_id in known} == {"SUCCESS"}
    asked = [f"many-{number}" for number in range(10_000)]

    answer = api.post(BATCH_INQUIRY, orjson.dumps({"appId": APP, "requestIds": asked}))

    assert answer.code == "SUCCESS"
    assert [item["requestId"] for item in answer.body["items"]] == asked
    assert [item["requestId"] for item in answer.body["items"] if item["status"] == "U"] == known


def test_R40_paths_methods_and_content_types_are_answered_by_the_api_itself(api: ApiServer) -> None:
    unknown = api.call("POST", "/v2/nothing", send_body(), JSON)
    slash = api.call("POST", SEND + "/", send_body(), JSON)
    method = api.call("GET", SEND, b"", JSON)
    media = api.call("POST", SEND, send_body(), JSON | {"Content-Type": "text/plain"})

    assert [(answer.status, answer.code) for answer in (unknown, slash, method, media)] == [
        (404, "INVALID_API"),
        (404, "INVALID_API"),
        (200, "METHOD_NOT_SUPPORTED"),
        (200, "MEDIA_TYPE_NOT_ACCEPTABLE"),
    ]


@pytest.mark.parametrize("encoding", [{}, {"Transfer-Encoding": "chunked"}], ids=["content-length", "chunked"])
def test_R15_64_kib_are_taken_and_one_byte_more_is_413(api: ApiServer, encoding: dict[str, str]) -> None:
    body = send_body(requestId=f"large-{len(encoding)}")
    whole = body[:-1] + b" " * (64 * KIB - len(body)) + b"}"

    exact, over = (api.call("POST", SEND, sized, JSON | encoding) for sized in (whole, whole + b" "))

    assert (exact.status, exact.code) == (200, "SUCCESS")
    assert (over.status, over.code) == (413, "PARAM_ILLEGAL")


def test_R15_a_body_that_is_far_too_large_is_413_before_it_is_sent(api: ApiServer) -> None:
    connection = api.connection()
    connection.putrequest("POST", SEND)
    for name, value in (JSON | {"Content-Length": str(10**9)}).items():
        connection.putheader(name, value)
    connection.endheaders()

    answer = read_answer(connection)
    connection.close()

    assert (answer.status, answer.code) == (413, "PARAM_ILLEGAL")


def heading(**headers: str) -> bytes:
    lines = [f"POST {SEND} HTTP/1.1", "Host: api.test", "Content-Type: application/json", "Client-Id: merchant-1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


GARBAGE = {
    "no HTTP": b"\x00\xff" * 100 + b"\r\n\r\n",
    "length that is no number": heading(Content_Length="many") + send_body(),
    "negative length": heading(Content_Length="-1") + send_body(),
    "endless length": heading(Content_Length="9" * 1000) + send_body(),
    "two lengths": heading(Content_Length="5\r\nContent-Length: 6") + send_body(),
    "length and chunks": heading(Content_Length="5", Transfer_Encoding="chunked") + b"zz\r\n",
    "broken chunks": heading(Transfer_Encoding="chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
    "shorter than announced": heading(Content_Length="500") + b"{}",
    "control character in a header": heading(Content_Length="2", Client_Id="m\x01") + b"{}",
    "long header": heading(Content_Length="2", X_Long="x" * 200_000) + b"{}",
    "many headers": heading(Content_Length="2", **{f"X_{number}": "x" for number in range(1000)}) + b"{}",
}


def test_a_caller_that_writes_its_http_by_hand_is_answered(api: ApiServer) -> None:
    body = send_body(requestId="by-hand")

    said = exchanged(api, heading(Content_Length=str(len(body)), Connection="close") + body)

    assert said.startswith(b"HTTP/1.1 200")
    assert b'"resultStatus":"S"' in said


@pytest.mark.parametrize("raw", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_caller_that_speaks_no_proper_http_hurts_nobody_else(api: ApiServer, raw: bytes) -> None:
    said = exchanged(api, raw)

    assert not said.startswith(b"HTTP/1.1 5")
    assert b'"resultStatus":"S"' not in said
    assert api.get("/readyz").status == 200


def test_R2_R64_the_token_is_neither_in_the_log_nor_on_the_disk(api: ApiServer, store: Valkey) -> None:
    assert sent(api, "secret").code == "SUCCESS"
    for refused in (
        sent(api, "secret-2", accessToken=f"{TOKEN}-unknown"),
        sent(api, "secret-3", accessToken=f"{TOKEN} "),
        sent(api, "secret-4", templates=[]),
        sent(api, "secret-5", appId="other"),
    ):
        assert refused.body["result"]["resultStatus"] == "F"
        assert TOKEN not in str(refused)

    written = b"".join(file.read_bytes() for file in store.data.rglob("*.aof"))

    assert b"secret" in written
    assert TOKEN.encode() not in written
    assert TOKEN not in api.command.stdout + api.command.stderr


def test_the_start_up_log_says_that_requests_are_not_signed(api: ApiServer) -> None:
    events = [orjson.loads(line)["event"] for line in api.command.stderr.splitlines()]

    assert {"requests_are_not_signed", "any_client_may_send_for_any_app"} <= set(events)


def test_sigterm_lets_a_request_under_way_finish_and_then_ends_the_server(store: Valkey, tmp_path: Path) -> None:
    body = send_body(requestId="under-way")
    with served(tmp_path / "api", store.url) as server:
        connection = server.connection()
        connection.putrequest("POST", SEND)
        for name, value in (JSON | {"Content-Length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders(body[:10])
        time.sleep(0.3)

        server.command.interrupt(signal.SIGTERM)
        time.sleep(0.5)
        connection.send(body[10:])
        answer = read_answer(connection)
        connection.close()

        assert (answer.status, answer.code) == (200, "SUCCESS")
        assert server.command.ended() == 0
        assert server.get("/healthz").status == 0


def test_a_killed_server_finishes_what_is_under_way_and_leaves_nobody_on_its_port(
    store: Valkey, tmp_path: Path
) -> None:
    body = send_body(requestId="killed")
    with served(tmp_path / "api", store.url) as server:
        connection = server.connection()
        connection.putrequest("POST", SEND)
        for name, value in (JSON | {"Content-Length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders(body[:10])
        left = descendants(server.command.process.pid)

        server.command.interrupt(signal.SIGKILL)
        server.command.until_printed("parent_is_gone")
        connection.send(body[10:])
        answer = read_answer(connection)
        connection.close()

        assert left
        assert (answer.status, answer.code) == (200, "SUCCESS")
        wait_until(lambda: not running(left), "what it started is gone")
        assert server.get("/healthz").status == 0


def test_a_server_that_may_take_any_port_says_which_it_took(store: Valkey, tmp_path: Path) -> None:
    with tidings(tmp_path / "api", "serve", redis_url=store.url, token_secret=TOKEN_SECRET, api_port=0) as command:
        command.until_printed("Listening at")
        (port,) = re.findall(rf"Listening at: http://{HOST}:([0-9]+)", command.stderr)
        server = ApiServer(command, int(port))

        wait_until(lambda: server.get("/healthz").status == 200, "the API listens where it says")


def test_R31_R52_redis_may_be_killed_and_come_back_without_a_restart(tmp_path: Path) -> None:
    with valkey(tmp_path / "store") as store:
        store.start()
        asyncio.run(fill(store.url))
        with served(tmp_path / "api", store.url) as server:
            taken = sent(server, "before")
            store.kill()

            asked_at = time.monotonic()
            unknown = [
                sent(server, "before"),
                sent(server, "during"),
                server.post(INQUIRY, orjson.dumps({"appId": APP, "requestId": "before"})),
                server.post(BATCH_INQUIRY, orjson.dumps({"appId": APP, "requestIds": ["before"]})),
            ]
            took = time.monotonic() - asked_at
            probes = [server.get(path).status for path in ("/healthz", "/readyz")]
            refused = sent(server, "during", templates=[])
            store.start()
            wait_until(lambda: server.get("/readyz").status == 200, "the API is ready again", A_FEW_SECONDS)

            assert [(answer.status, answer.code) for answer in unknown] == [(200, "UNKNOWN_EXCEPTION")] * 4
            assert took < A_FEW_SECONDS
            assert probes == [200, 503]
            assert refused.code == "PARAM_ILLEGAL"
            assert sent(server, "before") == taken
            assert sent(server, "during").code == "SUCCESS"


def test_R31_a_server_that_starts_before_redis_waits_for_it(tmp_path: Path) -> None:
    with valkey(tmp_path / "store") as store, served(tmp_path / "api", store.url) as server:
        assert server.get("/readyz").status == 503
        assert sent(server, "early").code == "UNKNOWN_EXCEPTION"

        store.start()
        asyncio.run(fill(store.url))
        wait_until(lambda: server.get("/readyz").status == 200, "the API is ready", A_FEW_SECONDS)

        assert sent(server, "early").code == "SUCCESS"
