"""The gateway simulator over real sockets: what callers of a wallet meet, byte for byte."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import pytest
from pyreqwest.client import ClientBuilder

from worker.adapters.gateways.simulator import Idempotency, Simulator, SimulatorSettings, SimulatorStartError
from worker.adapters.gateways.simulator.calls import MAX_BODY
from worker.adapters.gateways.simulator.protocol import MAX_WAITING
from worker.adapters.gateways.simulator.routes import SEND_PATH

NOON = 1_700_000_000_000
QUIET = 0.15
"""Seconds without a byte that count as silence."""


def message(customer: str, key: str | None = None, **replaced: object) -> dict[str, Any]:
    return {
        "messageId": key or customer,
        "customerId": customer,
        "messageChannel": "PUSH",
        "templateCode": "PAYMENT_NOTICE",
        "messageContent": '{"title":"Paid","content":"$12.50 收到 😀","linkUrl":"/pay"}',
        "redirectUrl": "/pay",
        "extendInfo": {"platformTemplateCode": "PAY"},
        **replaced,
    }


def inbox(customer: str, key: str) -> dict[str, Any]:
    content = '{"header":{"appName":"Shop"},"body":{"title":"Hi","content":"<b>you</b>","target":{"path":"/"}}}'
    return message(customer, key, messageChannel="INBOX", messageContent=content)


def request(method: str, target: str, content: object = None, *headers: str) -> bytes:
    body = b"" if content is None else orjson.dumps(content)
    head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: wallet", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


def call(*customers: str) -> bytes:
    return request("POST", SEND_PATH, {"messages": [message(customer) for customer in customers]})


@dataclass(frozen=True)
class Heard:
    """An HTTP answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was sent
        return orjson.loads(self.body)


class StoppedClock:
    """A clock on which it is always noon."""

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> int:
        return NOON


class Line:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def hear(self) -> Heard:
        """Return the next answer."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        return Heard(int(head[0].split()[1]), headers, await self._reader.readexactly(int(headers["content-length"])))

    async def ask(self, data: bytes) -> Heard:
        self.send(data)
        return await self.hear()

    async def is_silent(self) -> bool:
        """Whether nothing comes for a while, not even the end."""
        try:
            async with asyncio.timeout(QUIET):
                await self._reader.read(1)
        except TimeoutError:
            return True
        return False

    async def rest(self) -> bytes:
        """Return everything until the other side closes."""
        return await self._reader.read()

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:  # it was reset, as it should be
            return


class Stand:
    """A running simulator and the connections to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._lines: list[Line] = []

    async def line(self) -> Line:
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        self._lines.append(line)
        return line

    async def ask(self, data: bytes) -> Heard:
        """Ask on a connection of its own."""
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        try:
            return await line.ask(data)
        finally:
            await line.close()

    async def call(self, *messages: dict[str, Any]) -> Heard:
        return await self.ask(request("POST", SEND_PATH, {"messages": messages}))

    async def get(self, target: str) -> Any:  # noqa: ANN401 - whatever was sent
        return (await self.ask(request("GET", target))).json

    async def counts(self) -> Any:  # noqa: ANN401
        return await self.get("/counts")

    async def counts_when(self, holds: Callable[[Any], bool]) -> Any:  # noqa: ANN401
        """Return the first counts of which `holds` is true."""
        async with asyncio.timeout(10):
            while not holds(counts := await self.counts()):
                pass
        return counts

    async def hang_up(self) -> None:
        for line in self._lines:
            await line.close()


@asynccontextmanager
async def standing(settings: SimulatorSettings | None = None) -> AsyncIterator[Stand]:
    simulator = Simulator(settings, StoppedClock())
    stand = Stand(await simulator.start())
    try:
        yield stand
    finally:
        await stand.hang_up()
        await simulator.stop()


def played(scene: Callable[[Stand], Awaitable[None]], settings: SimulatorSettings | None = None) -> None:
    """Run a scene against a fresh simulator."""

    async def play() -> None:
        async with asyncio.timeout(20), standing(settings) as stand:
            await scene(stand)

    asyncio.run(play())


def test_R65_a_delivered_message_is_answered_and_shown() -> None:
    async def scene(stand: Stand) -> None:
        heard = await stand.call(message("ann", "m-PUSH"), inbox("ann", "m-INBOX"))
        got = await stand.get("/deliveries?customerId=ann")

        assert (heard.status, heard.headers["content-type"]) == (200, "application/json")
        assert [entry["success"] for entry in heard.json["messageSendResults"]] == [True, True]
        assert [(shown["channel"], shown["title"], shown["body"]) for shown in got["deliveries"]] == [
            ("PUSH", "Paid", "$12.50 收到 😀"),
            ("INBOX", "Hi", "<b>you</b>"),
        ]

    played(scene)


def test_a_delivery_is_reported_with_everything_the_user_got() -> None:
    async def scene(stand: Stand) -> None:
        await stand.call(message("ann", "m"))

        assert await stand.get("/deliveries?messageId=m") == {
            "messageId": "m",
            "calls": 1,
            "delivered": 1,
            "deliveries": [
                {
                    "number": 1,
                    "time": NOON,
                    "messageId": "m",
                    "customerId": "ann",
                    "channel": "PUSH",
                    "templateCode": "PAYMENT_NOTICE",
                    "title": "Paid",
                    "body": "$12.50 收到 😀",
                    "messageContent": {"title": "Paid", "content": "$12.50 收到 😀", "linkUrl": "/pay"},
                    "redirectUrl": "/pay",
                    "extendInfo": {"platformTemplateCode": "PAY"},
                    "calls": 1,
                    "delivered": 1,
                }
            ],
        }

    played(scene)


@pytest.mark.parametrize(
    ("sent", "reported"), [("9" * 30, int("9" * 30)), ("NaN", None), ("-Infinity", None), ("1e999", None)]
)
def test_a_delivery_is_reported_whatever_numbers_its_sender_took(sent: str, reported: object) -> None:
    async def scene(stand: Stand) -> None:
        content = f'{{"title":"t","content":"c","sum":{sent}}}'
        body = orjson.dumps({"messages": [message("ann", messageContent=content, extendInfo={"sum": "here"})]})
        body = body.replace(b'"here"', sent.encode())
        head = f"POST {SEND_PATH} HTTP/1.1\r\nHost: wallet\r\nContent-Length: {len(body)}\r\n\r\n"
        await stand.ask(head.encode() + body)
        (delivery,) = json.loads((await stand.ask(request("GET", "/deliveries"))).body)["deliveries"]

        assert (delivery["messageContent"]["sum"], delivery["extendInfo"]["sum"]) == (reported, reported)

    played(scene)


@pytest.mark.parametrize(("number", "status"), [(1, "S"), (20, "S"), (21, "F"), (0, "F")])
def test_R65_a_call_holds_1_to_20_messages(number: int, status: str) -> None:
    async def scene(stand: Stand) -> None:
        heard = await stand.call(*[message(f"u{index}") for index in range(number)])

        assert (heard.status, heard.json["result"]["resultStatus"]) == (200, status)
        assert len(heard.json["messageSendResults"]) == (number if status == "S" else 0)

    played(scene)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("deliver", (200, "S", True, None, None)),
        ("fail", (200, "S", False, False, "USER_NOT_EXIST")),
        ("retry", (200, "S", False, True, "SYSTEM_BUSY")),
        ("flaky-100", (200, "S", False, True, "SYSTEM_BUSY")),
        ("flaky-0", (200, "S", True, False, None)),
        ("missing", (200, "S", None, None, None)),
        ("unknown", (200, "U", None, None, None)),
        ("reject", (200, "F", None, None, None)),
        ("slow-10", (200, "S", True, False, None)),
        ("typo", (200, "S", False, False, "SIMULATOR_SCRIPT_UNKNOWN")),
    ],
)
def test_R68_a_scripted_user_gets_the_answer_of_the_script(script: str, expected: tuple[object, ...]) -> None:
    async def scene(stand: Stand) -> None:
        heard = await stand.call(message(f"sim-{script}-ann"))
        entry = (heard.json["messageSendResults"] or [{}])[0]
        status, result, success, retry, code = expected

        assert (heard.status, heard.json["result"]["resultStatus"]) == (status, result)
        assert (entry.get("success"), entry.get("resultCode")) == (success, code)
        assert retry in (None, entry.get("retry"))

    played(scene)


@pytest.mark.parametrize(
    ("script", "status", "retry_after"),
    [("429-7-2", 429, "7"), ("503-3-2", 503, "3"), ("500-2", 500, None), ("act-500-2", 500, None)],
)
def test_R69_http_failures_last_their_times_and_then_deliver(script: str, status: int, retry_after: str | None) -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        heard = [await line.ask(call("ann", f"sim-{script}-bob")) for _ in range(3)]

        assert [answer.status for answer in heard] == [status, status, 200]
        assert heard[0].headers.get("retry-after") == retry_after
        assert (await stand.get("/deliveries?messageId=ann"))["delivered"] == 1

    played(scene)


def test_garbage_is_no_json_and_keeps_the_connection() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        heard = await line.ask(call("sim-garbage-1"))

        assert heard.status == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(heard.body)
        assert (await line.ask(call("sim-garbage-1"))).json["result"]["resultStatus"] == "S"

    played(scene)


@pytest.mark.parametrize(("script", "delivered"), [("reset", 0), ("act-reset", 1)])
def test_reset_breaks_the_connection_before_or_after_acting(script: str, delivered: int) -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        with pytest.raises(ConnectionResetError):
            await line.ask(call("ann", f"sim-{script}"))

        assert (await stand.counts())["delivered"] == 2 * delivered

    played(scene)


@pytest.mark.parametrize(("script", "delivered"), [("hang", 0), ("act-hang", 1)])
def test_hang_stays_silent_on_an_open_connection(script: str, delivered: int) -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(call("ann", f"sim-{script}-1") + request("GET", "/healthz"))

        assert await line.is_silent()
        line.send(request("GET", "/healthz"))
        assert await line.is_silent()
        counts = await stand.counts()
        assert (counts["delivered"], counts["inFlight"]) == (2 * delivered, 1)
        await line.close()
        assert (await stand.call(message(f"sim-{script}-1"))).json["messageSendResults"][0]["success"]
        assert (await stand.counts())["inFlight"] == 0

    played(scene)


def test_slow_answers_late_and_isin_flight_until_then() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        began = time.monotonic()
        line.send(call("sim-slow-400"))
        counts = await stand.counts_when(lambda counts: counts["calls"] > 0)
        await line.hear()

        assert (counts["inFlight"], counts["delivered"]) == (1, 1)
        assert time.monotonic() - began >= 0.4
        assert (await stand.counts())["inFlight"] == 0

    played(scene)


def test_a_caller_that_leaves_during_a_slow_answer_does_no_harm() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(call("sim-slow-60000"))
        await stand.counts_when(lambda counts: counts["inFlight"] == 1)
        await line.close()
        await stand.counts_when(lambda counts: counts["inFlight"] == 0)

        assert (await stand.counts())["delivered"] == 1

    played(scene)


def test_R50_a_repeated_key_succeeds_again_and_is_shown_once() -> None:
    async def scene(stand: Stand) -> None:
        heard = [await stand.call(message("ann", "m")) for _ in range(3)]
        counts = await stand.counts()

        assert [answer.json["messageSendResults"][0]["success"] for answer in heard] == [True] * 3
        assert (counts["delivered"], counts["deliveredTwice"], counts["repeatedCalls"]) == (1, 0, 2)

    played(scene)


def test_without_idempotency_duplicates_show() -> None:
    async def scene(stand: Stand) -> None:
        for key in ("m", "m", "m", "n"):
            await stand.call(message("ann", key))
        counts = await stand.counts()

        assert (counts["delivered"], counts["deliveredKeys"], counts["deliveredTwice"]) == (4, 2, 1)
        assert len((await stand.get("/deliveries?messageId=m"))["deliveries"]) == 3

    played(scene, SimulatorSettings(idempotency=Idempotency.IGNORED))


def test_the_counts_tell_calls_from_messages_from_deliveries() -> None:
    async def scene(stand: Stand) -> None:
        await stand.call(message("ann", "a"), inbox("ann", "b"), message("sim-retry", "c"))
        await stand.call(message("ann", "a"), message("sim-503-1-1", "d"))
        await stand.call()

        assert await stand.counts() == {
            "calls": 3,
            "inquiries": 0,
            "rejectedCalls": 1,
            "inFlight": 0,
            "messages": 5,
            "keys": 4,
            "delivered": 2,
            "deliveredKeys": 2,
            "deliveredTwice": 0,
            "repeatedCalls": 1,
            "byChannel": {"PUSH": {"messages": 4, "delivered": 1}, "INBOX": {"messages": 1, "delivered": 1}},
            "byBehaviour": {"503": 2, "deliver": 2, "retry": 1},
            "behaviour": None,
        }

    played(scene)


def test_deliveries_are_paged_oldest_first() -> None:
    async def scene(stand: Stand) -> None:
        await stand.call(*[message("ann", f"m{number}") for number in range(5)])
        first = await stand.get("/deliveries?limit=3")
        second = await stand.get(f"/deliveries?limit=3&after={first['next']}")

        assert [shown["messageId"] for shown in first["deliveries"]] == ["m0", "m1", "m2"]
        assert [shown["messageId"] for shown in second["deliveries"]] == ["m3", "m4"]
        assert (second["next"], await stand.get("/deliveries?after=9")) == (None, {"deliveries": [], "next": None})

    played(scene)


def test_a_key_or_user_never_seen_has_an_empty_report() -> None:
    async def scene(stand: Stand) -> None:
        assert await stand.get("/deliveries?messageId=x") == {
            "messageId": "x",
            "calls": 0,
            "delivered": 0,
            "deliveries": [],
        }
        assert await stand.get("/deliveries?customerId=x%20y") == {"customerId": "x y", "deliveries": []}

    played(scene)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "after=x", "user=ann"])
def test_an_impossible_query_is_refused_with_what_is_possible(query: str) -> None:
    async def scene(stand: Stand) -> None:
        heard = await stand.ask(request("GET", f"/deliveries?{query}"))

        assert (heard.status, b"limit= (1 to 1000)" in heard.body) == (400, True)

    played(scene)


def test_the_whole_gateway_goes_down_and_comes_back() -> None:
    async def scene(stand: Stand) -> None:
        switched = await stand.ask(request("POST", "/behaviour", {"behaviour": "503-4"}))
        down = await stand.call(message("ann"))
        counts = await stand.counts()
        await stand.ask(request("POST", "/behaviour", {"behaviour": None}))
        up = await stand.call(message("ann"))

        assert (switched.status, down.status, down.headers["retry-after"], up.status) == (200, 503, "4", 200)
        assert counts["behaviour"] == "503-4"

    played(scene)


@pytest.mark.parametrize("switch", [{"behaviour": "typo"}, {"behaviour": "retry-2-ann"}, {"behavior": "503"}, {}, 5])
def test_a_switch_that_cannot_be_read_changes_nothing(switch: object) -> None:
    async def scene(stand: Stand) -> None:
        heard = await stand.ask(request("POST", "/behaviour", switch))

        assert (heard.status, (await stand.counts())["behaviour"]) == (400, None)

    played(scene)


def test_a_reset_forgets_counts_deliveries_and_the_switch() -> None:
    async def scene(stand: Stand) -> None:
        fresh = await stand.counts()
        await stand.call(message("ann"))
        await stand.ask(request("POST", "/behaviour", {"behaviour": "fail"}))
        await stand.ask(request("POST", "/reset"))

        assert await stand.counts() == fresh
        assert (await stand.get("/deliveries"))["deliveries"] == []

    played(scene)


def test_the_page_for_people_shows_the_counts() -> None:
    async def scene(stand: Stand) -> None:
        await stand.call(message("ann"))
        heard = await stand.ask(request("GET", "/"))

        assert (heard.status, heard.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<tr><th>delivered</th><td>1</td></tr>" in heard.body.decode()
        assert "{&quot;deliver&quot;:1}" in heard.body.decode()

    played(scene)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("GET", "/healthz"), 200),
        (request("GET", "/nowhere"), 404),
        (request("GET", SEND_PATH), 405),
        (request("POST", "/counts"), 405),
        (b"HELLO\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00", 400),
    ],
)
def test_other_requests_get_their_http_status(data: bytes, status: int) -> None:
    async def scene(stand: Stand) -> None:
        assert (await stand.ask(data)).status == status

    played(scene)


def test_a_method_that_is_not_allowed_is_told_which_one_is() -> None:
    async def scene(stand: Stand) -> None:
        assert (await stand.ask(request("GET", SEND_PATH))).headers["allow"] == "post"

    played(scene)


def test_a_head_request_gets_the_head_alone() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(request("HEAD", "/healthz") + request("GET", "/healthz", None, "Connection: close"))
        heard = await line.rest()

        assert [part.count(b"HTTP/1.1 200 OK") for part in (heard, heard.split(b"\r\n\r\n")[1])] == [2, 1]

    played(scene)


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413)])
def test_R15_a_body_over_the_limit_is_413_and_the_connection_goes_on(extra: int, status: int) -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        head = f"POST {SEND_PATH} HTTP/1.1\r\nContent-Length: {MAX_BODY + extra}\r\n\r\n".encode()

        assert (await line.ask(head + b" " * (MAX_BODY + extra))).status == status
        assert (await line.ask(call("ann"))).json["result"]["resultStatus"] == "S"

    played(scene)


def test_pipelined_requests_are_answered_in_order_even_behind_a_slow_one() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(call("sim-slow-50") + call("sim-fail") + request("GET", "/healthz") + call("sim-500"))

        assert [(await line.hear()).status for _ in range(4)] == [200, 200, 200, 500]

    played(scene)


def test_a_request_behind_a_slow_one_is_not_acted_on_before_that_is_answered() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(call("sim-slow-500", "ann") + call("bob"))
        counts = await stand.counts_when(lambda counts: counts["calls"] > 0)

        assert counts["calls"] == 1
        assert [(await line.hear()).status for _ in range(2)] == [200, 200]

    played(scene)


def test_more_requests_than_may_wait_are_all_answered() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(call("sim-slow-50"))
        for number in range(4 * MAX_WAITING):
            line.send(call(f"u{number}"))
            await asyncio.sleep(0)
        heard = [await line.hear() for _ in range(4 * MAX_WAITING + 1)]

        assert [answer.json["messageSendResults"][0]["messageId"] for answer in heard[1:]] == [
            f"u{number}" for number in range(4 * MAX_WAITING)
        ]

    played(scene)


def test_a_caller_that_reads_late_gets_every_answer() -> None:
    pages = 8_000

    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(request("GET", "/") * pages)
        await asyncio.sleep(QUIET)

        assert {(await line.hear()).status for _ in range(pages)} == {200}

    played(scene)


def test_a_request_may_come_byte_by_byte_and_in_chunks() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        body = orjson.dumps({"messages": [message("ann")]})
        head = f"POST {SEND_PATH}?a=b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode()
        for byte in head + body + b"\r\n0\r\n\r\n":
            line.send(bytes([byte]))
            await asyncio.sleep(0)

        assert (await line.hear()).json["messageSendResults"][0]["success"]

    played(scene)


@pytest.mark.parametrize(
    "data",
    [request("GET", "/healthz", None, "Connection: close"), b"GET /healthz HTTP/1.0\r\n\r\n", b"BAD\r\n\r\n"],
)
def test_the_connection_closes_after_the_last_answer(data: bytes) -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(data + request("GET", "/healthz"))
        heard = await line.rest()

        assert (heard.count(b"HTTP/1.1 "), heard.count(b"Connection: close\r\n")) == (1, 1)

    played(scene)


def test_an_offer_to_upgrade_is_declined_by_answering() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        offer = request("GET", "/healthz", None, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
        line.send(offer + request("GET", "/nowhere"))

        assert [(await line.hear()).status for _ in range(2)] == [200, 404]

    played(scene)


def test_an_offer_to_upgrade_a_call_is_refused_and_nothing_is_delivered() -> None:
    async def scene(stand: Stand) -> None:
        line = await stand.line()
        line.send(request("POST", SEND_PATH, {"messages": [message("ann")]}, "Connection: Upgrade", "Upgrade: h2c"))
        heard = await line.rest()

        assert (heard[:12], heard.count(b"HTTP/1.1"), (await stand.counts())["calls"]) == (b"HTTP/1.1 501", 1, 0)

    played(scene)


def test_a_stop_lets_slow_answers_through_and_drops_the_silent_ones() -> None:
    async def scene() -> None:
        simulator = Simulator(SimulatorSettings(grace=10))
        stand = Stand(await simulator.start())
        slow, silent, idle = [await stand.line() for _ in range(3)]
        slow.send(call("sim-slow-600"))
        silent.send(call("sim-hang"))
        await stand.counts_when(lambda counts: counts["inFlight"] == 2)
        began = time.monotonic()
        await simulator.stop()

        assert time.monotonic() - began < 5
        assert (await slow.hear()).headers["connection"] == "close"
        assert [await line.rest() for line in (slow, silent, idle)] == [b"", b"", b""]
        with pytest.raises(ConnectionRefusedError):
            await stand.line()
        await stand.hang_up()

    asyncio.run(scene())


def test_a_stop_does_not_wait_longer_than_its_grace() -> None:
    async def scene() -> None:
        simulator = Simulator(SimulatorSettings(grace=0.05))
        stand = Stand(await simulator.start())
        line = await stand.line()
        line.send(call("sim-slow-60000"))
        await stand.counts_when(lambda counts: counts["inFlight"] == 1)
        await simulator.stop()

        assert await line.rest() == b""
        await stand.hang_up()

    asyncio.run(scene())


def test_a_stop_before_a_start_and_a_second_one_do_nothing() -> None:
    async def scene() -> bool:
        simulator = Simulator()
        await simulator.stop()
        port = await simulator.start()
        await simulator.stop()
        await simulator.stop()
        return port > 0

    assert asyncio.run(scene())


@pytest.mark.parametrize("port", [None, 65536])
def test_a_port_that_cannot_be_used_is_named(port: int | None) -> None:
    async def scene(stand: Stand) -> None:
        wanted = stand.port if port is None else port
        with pytest.raises(SimulatorStartError, match=f"can't listen on 127.0.0.1:{wanted} .* choose another"):
            await Simulator().start("127.0.0.1", wanted)

    played(scene)


def test_the_client_that_workers_use_gets_on_with_it() -> None:
    async def scene(stand: Stand) -> None:
        async with ClientBuilder().timeout(timedelta(seconds=10)).build() as client:
            url = f"http://127.0.0.1:{stand.port}{SEND_PATH}"
            statuses = [
                (await client.post(url).body_json({"messages": [message(customer)]}).build().send()).status
                for customer in ("ann", "sim-429-1", "sim-500", "bob")
            ]

        assert statuses == [200, 429, 500, 200]

    played(scene)


PROCESS = """
import sys
from worker.adapters.gateways.simulator import SimulatorSettings, run
run(SimulatorSettings(host=sys.argv[1]))
"""


@contextmanager
def process(host: str = "127.0.0.1") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Yield a simulator's process and the URL that it logged."""
    command = [sys.executable, "-c", PROCESS, host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"}) as running:
        try:
            assert running.stdout is not None
            ready = running.stdout.readline()
            url = re.search(r"gateway_simulator_ready.*url=(\S+)", ready)
            assert url, ready
            yield running, url[1]
        finally:
            running.kill()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def in_flight(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(request("GET", "/counts", None, "Connection: close"))
        heard = b"".join(iter(lambda: line.recv(65536), b""))
    return int(orjson.loads(heard.partition(b"\r\n\r\n")[2])["inFlight"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_says_where_it_is_and_stops_when_told(number: signal.Signals) -> None:
    with process() as (running, url), socket.create_connection(("127.0.0.1", port_of(url))) as line:
        line.sendall(call("ann"))
        heard = line.recv(65536)
        line.sendall(call("sim-slow-1000"))
        while in_flight(port_of(url)) == 0:
            pass
        running.send_signal(number)
        late = line.recv(65536)

        assert (heard[:15], late[:15]) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK")
        assert running.wait(timeout=10) == 0


@pytest.mark.parametrize("script", ["reset", "act-reset"])
def test_as_a_process_on_its_own_event_loop_it_resets_too(script: str) -> None:
    with process() as (_, url), socket.create_connection(("127.0.0.1", port_of(url))) as line:
        line.sendall(call(f"sim-{script}"))
        with pytest.raises(ConnectionResetError):
            line.recv(1)


def test_an_ipv6_address_is_shown_as_urls_write_it() -> None:
    with process("::1") as (_, url):
        assert re.fullmatch(r"http://\[::1\]:\d+", url)
