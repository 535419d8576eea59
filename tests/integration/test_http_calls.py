"""The HTTP client of wallet calls over real sockets, on asyncio's own event loop and on the workers'."""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.certificates import tls_for
from tests.http_calls import (
    FINE,
    HEAD,
    PATIENCE,
    SHORT,
    Play,
    client,
    deaf_port,
    pool_of,
    post_to,
    server,
    trusting,
    until,
    url,
)
from tests.receivers import OK, receiver
from worker.adapters.http_calls.answer import Reply
from worker.adapters.http_calls.client import HttpClient
from worker.adapters.http_calls.errors import (
    AnswerTimeoutError,
    BrokenAnswerError,
    ClientClosedError,
    UnreadableAnswerError,
)


def test_a_request_arrives_as_it_should(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            assert await found.post(f"http://me:secret@localhost:{wallet.port}/a b?c", b'{"d":1}') == FINE
            (request,) = wallet.received
            assert request.line == "POST /a%20b?c HTTP/1.1"
            assert request.body == b'{"d":1}'
            assert request.headers == {
                "host": f"localhost:{wallet.port}",
                "user-agent": "tidings",
                "accept": "*/*",
                "accept-encoding": "identity",
                "content-type": "application/json; charset=UTF-8",
                "authorization": "Basic bWU6c2VjcmV0",
                "content-length": "7",
            }

    play(story())


def test_a_body_beyond_what_sockets_hold_arrives_whole(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            body = bytes(8_000_000)
            assert await found.post(url(wallet.port), body) == FINE
            assert wallet.received[0].body == body
            assert pool_of(found).idle == 1

    play(story())


def test_a_request_on_a_kept_connection_that_ends_is_not_repeated(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 2, found)
            wallet.answers = [b""]
            with pytest.raises(BrokenAnswerError):
                await found.post(url(wallet.port), b"{}")
            assert len(wallet.received) == 3
            assert pool_of(found).idle == 0

    play(story())


def test_an_answer_before_the_whole_request_is_an_answer_and_ends_the_connection(play: Play) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(PATIENCE)

    async def story() -> None:
        async with server(refuse) as port, client() as found:
            assert await found.post(url(port), bytes(20_000_000)) == Reply(413, None, b"")
            await until(lambda: pool_of(found).open == 0)

    play(story())


def test_an_answer_may_end_with_the_connection(play: Play) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nok")

    async def story() -> None:
        async with server(serve) as port, client() as found:
            await post_to(port, 1, found)
            await until(lambda: pool_of(found).open == 0)

    play(story())


@pytest.mark.parametrize("start", [b"", HEAD, HEAD + b"o"], ids=["nothing", "a head", "a part"])
def test_a_call_is_over_in_time_and_its_connection_closed(play: Play, start: bytes) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(start)
        await reader.read(1_000)
        assert await reader.read() == b""

    async def story() -> None:
        async with server(trickle) as port, client(SHORT) as found:
            begun = asyncio.get_running_loop().time()
            with pytest.raises(AnswerTimeoutError):
                await found.post(url(port), b"{}")
            assert asyncio.get_running_loop().time() - begun > SHORT / 2
            await until(lambda: pool_of(found).open == 0)

    play(story())


def test_a_call_that_begins_later_has_its_own_time(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client(SHORT) as found:
            loop = asyncio.get_running_loop()
            wallet.answers = [None, OK, None]
            first = asyncio.create_task(found.post(url(wallet.port), b"{}"))
            await until(lambda: len(wallet.received) == 1)
            await post_to(wallet.port, 1, found)
            await asyncio.sleep(SHORT / 2)
            begun = loop.time()
            with pytest.raises(AnswerTimeoutError):
                await found.post(url(wallet.port), b"{}")
            assert loop.time() - begun > SHORT * 0.9
            with pytest.raises(AnswerTimeoutError):
                await first

    play(story())


def test_a_call_that_is_cancelled_takes_its_connection_with_it_and_no_other(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 2, found)
            wallet.answers = [None]
            call = asyncio.create_task(found.post(url(wallet.port), b"{}"))
            await until(lambda: len(wallet.received) == 3)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await until(lambda: len(wallet.open) == 1)
            assert pool_of(found).idle == 1
            await post_to(wallet.port, 1, found)

    play(story())


def test_a_call_that_is_cancelled_as_its_answer_comes_leaves_no_connection_behind(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            for turns in range(20):
                call = asyncio.create_task(found.post(url(wallet.port), b"{}"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                call.cancel()
                with suppress(asyncio.CancelledError):
                    await call
            await until(lambda: pool_of(found).open == pool_of(found).idle)

    play(story())


def test_closing_ends_everything(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, deaf_port() as deaf:
            found = HttpClient(PATIENCE)
            await post_to(wallet.port, 2, found)
            wallet.answers = [None]
            waiting = asyncio.create_task(found.post(url(wallet.port), b"{}"))
            connects = asyncio.create_task(found.post(url(deaf), b"{}"))
            await until(lambda: len(wallet.received) == 3 and bool(found._connecting))
            await found.close()
            with pytest.raises(BrokenAnswerError, match="closed by us"):
                await waiting
            with pytest.raises(ClientClosedError):
                await connects
            with pytest.raises(ClientClosedError):
                await found.post(url(wallet.port), b"{}")
            await until(lambda: not wallet.open)
            await found.close()

    play(story())


def test_closing_while_a_connection_is_given_up_anyway_ends_everything_too(play: Play) -> None:
    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()  # and no TLS

    async def story() -> None:
        async with server(serve) as port:
            found = HttpClient(SHORT)
            call = asyncio.create_task(found.post(f"https://127.0.0.1:{port}/", b"{}"))
            await until(lambda: bool(found._connecting))
            (limit,) = found._connecting
            while not limit.expired():  # noqa: ASYNC110 - it lasts for a turn or two
                await asyncio.sleep(0)
            assert not call.done()
            await found.close()
            with pytest.raises(ClientClosedError):
                await call
            assert pool_of(found).open == 0

    play(story())


@pytest.mark.parametrize("sent", [b"", HEAD], ids=["nothing", "half"])
def test_a_server_that_breaks_off_without_a_word_of_tls_is_not_said_to_be_us(
    play: Play, tmp_path: Path, sent: bytes
) -> None:
    context, root = tls_for("localhost", tmp_path)

    async def story() -> None:
        async with receiver(context) as wallet, client(context=trusting(root)) as found:
            wallet.answers = [None]
            call = asyncio.create_task(found.post(f"https://localhost:{wallet.port}/", b"{}"))
            await until(lambda: bool(wallet.received))
            (writer,) = wallet.open
            writer.write(sent)
            with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as line:
                line.shutdown(socket.SHUT_WR)
            with pytest.raises(BrokenAnswerError, match=r"^closed (before the answer's end|by the server)$"):
                await call

    play(story())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from([HEAD, b"ok", OK, b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]) | st.binary(), max_size=4)
)
def test_whatever_a_server_says_ends_in_an_answer_or_an_error_of_ours(play: Play, parts: list[bytes]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)

    async def story() -> None:
        async with server(serve) as port, client() as found:
            with suppress(BrokenAnswerError, UnreadableAnswerError):
                assert isinstance(await found.post(url(port), b"{}"), Reply)
            await until(lambda: pool_of(found).open == 0)

    play(story())
