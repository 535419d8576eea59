"""Calls of merchants over real sockets: at the address that was checked and no other."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest
from typing_extensions import override

from tests.certificates import tls_for
from tests.fakes.clock import FakeClock
from tests.receivers import answer, receiver
from worker.adapters import resolving
from worker.adapters.callbacks.poster import (
    BROKEN,
    FORBIDDEN,
    NAMES_KEPT,
    NO_ADDRESS,
    TIMEOUT,
    UNFIT_URL,
    UNREACHABLE,
    HttpPoster,
)
from worker.adapters.resolving import Resolver
from worker.callbacks.ports import Reply

LOOPBACK = ip_network("127.0.0.0/8")
OK = Reply(200, "HTTP 200")
TIMEOUT_MS = 10_000


class Names:
    """A name server: it gives each answer in turn, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def look_up(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        return tuple(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


def posting(
    names: Names,
    story: Callable[[HttpPoster], Awaitable[None]],
    *,
    timeout: int = TIMEOUT_MS,
    allowed: bool = True,
    roots: Sequence[bytes] = (),
    clock: FakeClock | None = None,
) -> None:
    async def tell() -> None:
        clock_ = clock or FakeClock()
        resolver = Resolver(NAMES_KEPT, clock_.monotonic)
        poster = HttpPoster(clock_, resolver, (LOOPBACK,) if allowed else (), timeout, roots)
        try:
            await story(poster)
        finally:
            await poster.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resolving, "look_up", names.look_up)
        asyncio.run(tell())


def test_a_name_is_called_at_the_address_it_was_resolved_to_with_its_own_name() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            url = f"http://shop.test:{merchant.port}/callback?x=1"
            assert await poster.post(url, {"webhook-id": "msg_1"}, b"{}") == OK
            (request,) = merchant.received
            assert request.line == "POST /callback?x=1 HTTP/1.1"
            assert request.headers["host"] == f"shop.test:{merchant.port}"
            assert (request.headers["webhook-id"], request.body) == ("msg_1", b"{}")

    posting(Names(["127.0.0.1"]), story)


def test_connections_are_used_again() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            for _ in range(3):
                await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}")
            assert (len(merchant.received), merchant.connections) == (3, 1)

    posting(Names(["127.0.0.1"]), story)


def test_a_name_is_resolved_once_however_its_owner_answers_the_next_time() -> None:
    """DNS rebinding: what is asked a second time would be another address."""
    names = Names(["127.0.0.1"], ["127.0.0.66"])

    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK
            assert names.asked == ["shop.test"]
            assert len(merchant.received) == 1

    posting(names, story)


def test_a_name_that_leads_inside_later_is_refused_then_although_a_connection_is_open() -> None:
    clock = FakeClock()

    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            url = f"http://shop.test:{merchant.port}/"
            assert await poster.post(url, {}, b"{}") == OK
            clock.advance(31_000)
            assert await poster.post(url, {}, b"{}") == FORBIDDEN
            assert len(merchant.received) == 1

    posting(Names(["127.0.0.1"], ["10.0.0.1"]), story, clock=clock)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["::1"]])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_of_which_any_address_is_not_public_is_not_called(scheme: str, addresses: list[str]) -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            assert await poster.post(f"{scheme}://shop.test:{merchant.port}/", {}, b"{}") == FORBIDDEN
            assert merchant.connections == 0

    posting(Names(addresses), story, allowed=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "localhost"]
)
def test_an_address_in_the_url_is_judged_as_well(host: str) -> None:
    async def story(poster: HttpPoster) -> None:
        assert (await poster.post(f"https://{host}/", {}, b"{}")) in (FORBIDDEN, UNFIT_URL)

    posting(Names(["127.0.0.1"]), story, allowed=False)


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "user@127.0.0.1"])
def test_a_url_that_parsers_read_in_different_ways_is_not_called(host: str) -> None:
    names = Names(["1.1.1.1"])

    async def story(poster: HttpPoster) -> None:
        assert await poster.post(f"https://{host}/", {}, b"{}") == UNFIT_URL
        assert names.asked == []

    posting(names, story)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            merchant.answers.append(answer(status, f"Location: http://127.0.0.1:{merchant.port}/elsewhere"))
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == Reply(status, f"HTTP {status}")
            assert len(merchant.received) == 1

    posting(Names(["127.0.0.1"]), story)


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK

    posting(Names(["127.0.0.1"]), story)


def test_retry_after_is_read() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            merchant.answers.append(answer(503, "Retry-After: 7"))
            reply = await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}")
            assert reply == Reply(503, "HTTP 503", 7_000)

    posting(Names(["127.0.0.1"]), story)


def test_who_hangs_or_closes_or_drips_or_is_not_there_is_told_apart() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            url = f"http://shop.test:{merchant.port}/"
            merchant.answers += [None, b"", b"garbage\r\n\r\n"]
            replies = [await poster.post(url, {}, b"{}") for _ in range(3)]
            assert replies == [TIMEOUT, BROKEN, BROKEN]
        assert await poster.post(url, {}, b"{}") == UNREACHABLE

    posting(Names(["127.0.0.1"]), story, timeout=300)


@pytest.mark.parametrize("body", [b"", b"x"])
def test_who_has_said_2xx_has_taken_the_callback_although_the_rest_never_comes(body: bytes) -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            merchant.answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + body)
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK

    posting(Names(["127.0.0.1"]), story, timeout=3_000)


def test_an_endless_answer_is_cut_off() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            merchant.answers.append(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000)
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK

    posting(Names(["127.0.0.1"]), story)


def test_the_next_address_is_tried_where_one_takes_no_connection() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK

    posting(Names(["127.0.0.2", "127.0.0.1"]), story)


def test_a_name_that_has_no_address_is_asked_again_the_next_time() -> None:
    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            url = f"http://shop.test:{merchant.port}/"
            assert await poster.post(url, {}, b"{}") == NO_ADDRESS
            assert await poster.post(url, {}, b"{}") == OK

    posting(Names([], ["127.0.0.1"]), story)


def test_a_slow_name_server_keeps_nobody_else_waiting() -> None:
    answered = threading.Event()

    class Slow(Names):
        @override
        def look_up(self, host: str) -> tuple[str, ...]:
            if host.startswith("slow"):
                answered.wait(20)
            return super().look_up(host)

    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            slow = [
                asyncio.create_task(poster.post(f"http://slow.test:{merchant.port}/", {}, b"{}")) for _ in range(50)
            ]
            await asyncio.sleep(0)
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == OK
            answered.set()
            assert await asyncio.gather(*slow) == [OK] * 50

    posting(Slow(["127.0.0.1"]), story)


@pytest.mark.parametrize(("name", "reply"), [("shop.test", OK), ("other.test", UNREACHABLE)])
def test_the_certificate_has_to_be_of_the_urls_name_although_an_address_is_called(
    tmp_path: Path, name: str, reply: Reply
) -> None:
    context, root = tls_for(name, tmp_path)
    seen: list[str | None] = []
    context.sni_callback = lambda _connection, server_name, _context: seen.append(server_name)

    async def story(poster: HttpPoster) -> None:
        async with receiver(context) as merchant:
            assert await poster.post(f"https://shop.test:{merchant.port}/", {}, b"{}") == reply

    posting(Names(["127.0.0.1"]), story, roots=[root])
    assert seen == ["shop.test"]


@pytest.mark.parametrize(("before", "reply"), [(1, OK), (2, OK), (3, UNREACHABLE)])
def test_of_a_names_addresses_the_first_three_are_tried(before: int, reply: Reply) -> None:
    nobody = [f"127.0.0.{number}" for number in range(2, 2 + before)]

    async def story(poster: HttpPoster) -> None:
        async with receiver() as merchant:
            assert await poster.post(f"http://shop.test:{merchant.port}/", {}, b"{}") == reply

    posting(Names([*nobody, "127.0.0.1"]), story)
