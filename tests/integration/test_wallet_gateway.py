"""Calls of a wallet over real sockets: against the gateway simulator, and against servers that break off."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.fakes.clock import FakeClock
from tests.samples import route, wallet_message
from worker.adapters.gateways.simulator import Simulator, SimulatorSettings
from worker.adapters.gateways.wallet import WalletGateway
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.messages import Channel

CALL_TIMEOUT = 5_000
SHORT_TIMEOUT = 300
DELIVERED = Answer(AnswerKind.DELIVERED)

Send = Callable[[Sequence[WalletMessage]], Awaitable[list[Answer]]]


def to(customer: str, message_id: str | None = None) -> WalletMessage:
    return wallet_message(message_id or f"m-{customer}", customer_id=customer)


@asynccontextmanager
async def gateway_of(url: str, call_timeout: int = CALL_TIMEOUT) -> AsyncIterator[Send]:
    gateway = WalletGateway(FakeClock(), call_timeout)

    async def send(messages: Sequence[WalletMessage]) -> list[Answer]:
        return await gateway.send(route(url), messages)

    try:
        yield send
    finally:
        await gateway.close()


@asynccontextmanager
async def simulator() -> AsyncIterator[tuple[Simulator, str]]:
    served = Simulator(SimulatorSettings(grace=0))
    port = await served.start()
    try:
        yield served, f"http://127.0.0.1:{port}"
    finally:
        await served.stop()


@asynccontextmanager
async def server(*parts: bytes, pause: float = 0.0) -> AsyncIterator[str]:
    """Serve one answer, part by part with pauses between, and close; yields the url."""

    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await asyncio.sleep(pause)
        writer.close()
        ended.set()

    served = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{served.sockets[0].getsockname()[1]}"
        await ended.wait()
    finally:
        served.close()
        await served.wait_closed()


def sent(*messages: WalletMessage, call_timeout: int = CALL_TIMEOUT) -> list[Answer]:
    """Return what the simulator answers to one call."""

    async def main() -> list[Answer]:
        async with simulator() as (_, url), gateway_of(url, call_timeout) as send:
            return await send(messages)

    return asyncio.run(main())


def sent_to(url: str) -> Answer:
    """Return the answer to one message sent to a place where nobody is."""

    async def main() -> list[Answer]:
        async with gateway_of(url) as send:
            return await send([to("ann")])

    return only(asyncio.run(main()))


def answered(*parts: bytes, pause: float = 0.0, call_timeout: int = CALL_TIMEOUT) -> Answer:
    """Return the answer to one message, when the server sends these bytes."""

    async def main() -> list[Answer]:
        async with server(*parts, pause=pause) as url, gateway_of(url, call_timeout) as send:
            return await send([to("ann")])

    return only(asyncio.run(main()))


def only(answers: list[Answer]) -> Answer:
    (answer,) = answers
    return answer


def kinds(answers: list[Answer]) -> list[AnswerKind]:
    return [answer.kind for answer in answers]


def test_R65_twenty_messages_are_delivered_in_one_call() -> None:
    assert sent(*(to(f"user-{number}") for number in range(20))) == [DELIVERED] * 20


def test_R66_a_message_arrives_as_the_wallet_wants_it() -> None:
    message = wallet_message(
        "0a-INBOX",
        customer_id="ann",
        channel=Channel.INBOX,
        content='{"header":{},"body":{"title":"收到 😀","content":"<b>$1</b>"}}',
        redirect_url="pages/ページ?a=1",
        extend_info='{"a": 1}',
    )

    async def main() -> dict[str, object]:
        async with simulator() as (served, url), gateway_of(url) as send:
            assert await send([message]) == [DELIVERED]
            (delivery,) = served._routes._deliveries.of_customer("ann")
            return {
                "messageId": delivery.message["messageId"],
                "channel": delivery.message["messageChannel"],
                "templateCode": delivery.message["templateCode"],
                "content": delivery.message["messageContent"],
                "redirectUrl": delivery.message["redirectUrl"],
                "extendInfo": delivery.message["extendInfo"],
            }

    assert asyncio.run(main()) == {
        "messageId": "0a-INBOX",
        "channel": Channel.INBOX,
        "templateCode": "PAYMENT_NOTICE",
        "content": message.content,
        "redirectUrl": "pages/ページ?a=1",
        "extendInfo": {"platformTemplateCode": "PAY", "extendInfo": '{"a": 1}'},
    }


def test_R66_without_extend_info_the_wallet_gets_its_own_template_code_alone() -> None:
    async def main() -> object:
        async with simulator() as (served, url), gateway_of(url) as send:
            await send([to("ann")])
            (delivery,) = served._routes._deliveries.of_customer("ann")
            return delivery.message["extendInfo"]

    assert asyncio.run(main()) == {"platformTemplateCode": "PAY"}


def test_R68_each_message_of_a_call_has_its_own_answer_in_order() -> None:
    answers = sent(to("sim-fail"), to("ann"), to("sim-retry"), to("sim-missing"), to("bob"))

    assert kinds(answers) == [
        AnswerKind.REFUSED,
        AnswerKind.DELIVERED,
        AnswerKind.RETRYABLE,
        AnswerKind.UNANSWERED,
        AnswerKind.DELIVERED,
    ]
    assert answers[0].code == "USER_NOT_EXIST"


@pytest.mark.parametrize("script", ["unknown", "garbage", "500", "reset", "act-unknown", "act-garbage", "act-500"])
def test_R68_a_call_without_a_good_answer_leaves_all_its_messages_unanswered(script: str) -> None:
    assert kinds(sent(to("ann"), to(f"sim-{script}"))) == [AnswerKind.UNANSWERED] * 2


def test_R68_a_reset_connection_says_so() -> None:
    answer = only(sent(to("sim-reset")))

    assert answer.kind is AnswerKind.UNANSWERED
    assert answer.message.startswith("the connection broke (")


def test_R68_a_gateway_that_never_answers_is_left_in_time() -> None:
    assert sent(to("sim-hang"), call_timeout=SHORT_TIMEOUT) == [
        Answer(AnswerKind.UNANSWERED, message="the gateway did not answer in time"),
    ]


def test_R68_an_answer_that_trickles_in_does_not_extend_the_call() -> None:
    parts = (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", *[b" "] * 4)

    answer = answered(*parts, pause=0.1, call_timeout=SHORT_TIMEOUT)

    assert answer == Answer(AnswerKind.UNANSWERED, message="the gateway did not answer in time")


@pytest.mark.parametrize("script", ["hang", "garbage", "reset", "unknown", "500", "missing"])
def test_R68_a_message_that_was_acted_on_without_an_answer_is_repeated_and_not_delivered_twice(script: str) -> None:
    message = to(f"sim-act-{script}-1-ann")

    async def main() -> tuple[list[AnswerKind], int]:
        async with simulator() as (served, url), gateway_of(url, SHORT_TIMEOUT) as send:
            answers = [*await send([message]), *await send([message])]
            return kinds(answers), served._routes._deliveries.counts.delivered

    assert asyncio.run(main()) == ([AnswerKind.UNANSWERED, AnswerKind.DELIVERED], 1)


def test_R68_a_slow_answer_within_the_time_is_an_answer() -> None:
    assert sent(to("sim-slow-100")) == [DELIVERED]


def test_R69_a_poisonous_message_has_its_whole_call_rejected_until_it_is_alone() -> None:
    assert kinds(sent(to("ann"), to("sim-reject"))) == [AnswerKind.REJECTED] * 2


@pytest.mark.parametrize("status", [429, 503])
def test_R69_retry_after_holds_for_the_whole_call(status: int) -> None:
    expected = Answer(AnswerKind.THROTTLED, f"HTTP_{status}", "the gateway asked to wait", 7_000)

    assert sent(to("ann"), to(f"sim-{status}-7")) == [expected] * 2


def test_R69_retry_after_as_a_date_is_measured_by_our_clock() -> None:
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: Tue, 14 Nov 2023 22:13:27 GMT\r\nContent-Length: 0\r\n\r\n"

    assert answered(head).retry_after == 7_000


def test_R68_a_refused_connection_means_that_the_call_was_never_made() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = sent_to(f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert answer == Answer(
        AnswerKind.UNREACHABLE, "GATEWAY_UNREACHABLE", "ConnectError: none of 1 addresses took a connection"
    )


@pytest.mark.parametrize("url", ["", "wallet.test", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999"])
def test_R68_a_wrong_url_is_our_fault_and_no_messages(url: str) -> None:
    answer = sent_to(url)

    assert (answer.kind, answer.code) == (AnswerKind.UNREACHABLE, "GATEWAY_UNREACHABLE")


def test_R68_a_redirect_is_not_followed() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"

    assert answered(head).kind is AnswerKind.UNREACHABLE


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"HTTP/1.1 200 OK\r\nContent-Le",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",),
        (b"SMTP ready\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x00",),
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "no gzip", "no HTTP", "no text"],
)
def test_R68_an_answer_that_breaks_off_or_is_none_leaves_the_message_unanswered(parts: tuple[bytes, ...]) -> None:
    assert answered(*parts).kind is AnswerKind.UNANSWERED


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",), "the connection broke (closed before the answer's end)"),
        ((b"SMTP ready\r\n",), "the gateway's answer is unreadable (no HTTP/1.1: Expected HTTP/, RTSP/ or ICE/)"),
        ((b"HTTP/1.1 200 " + b"x" * 65_536,), "the gateway's answer is unreadable (its head is too large)"),
    ],
    ids=["cut short", "no HTTP", "endless"],
)
def test_R68_an_answer_that_is_none_says_what_is_wrong_with_it(parts: tuple[bytes, ...], text: str) -> None:
    assert answered(*parts).message == text


def test_calls_ask_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert sent(to("ann")) == [DELIVERED]


def test_an_inquiry_tells_a_message_that_was_shown_from_one_that_was_not() -> None:
    async def main() -> list[Answer | None]:
        async with simulator() as (_, url):
            gateway = WalletGateway(FakeClock(), SHORT_TIMEOUT)
            try:
                await gateway.send(route(url), [to("sim-act-hang-1-ann"), to("bob")])
                await gateway.send(route(url), [to("sim-hang-cid")])
                return await gateway.inquire(route(url), ["m-sim-act-hang-1-ann", "m-bob", "m-sim-hang-cid"])
            finally:
                await gateway.close()

    assert asyncio.run(main()) == [DELIVERED, DELIVERED, None]


def test_an_inquiry_without_an_answer_tells_nothing() -> None:
    async def main() -> list[Answer | None]:
        gateway = WalletGateway(FakeClock(), SHORT_TIMEOUT)
        try:
            async with server(b"HTTP/1.1 200 OK\r\n") as url:
                return await gateway.inquire(route(url), ["m1", "m2"])
        finally:
            await gateway.close()

    first, second = asyncio.run(main())
    assert first == second
    assert first is not None
    assert first.kind is AnswerKind.UNANSWERED
