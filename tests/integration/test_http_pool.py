"""Connections of the HTTP client of wallet calls: kept, used again, closed, and never left behind."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certificates import tls_for
from tests.http_calls import (
    FINE,
    PATIENCE,
    SHORT,
    Calls,
    Play,
    client,
    connections,
    pool_of,
    post_to,
    trusting,
    until,
    url,
)
from tests.receivers import OK, Receiver, receiver
from worker.adapters.http_calls import pool
from worker.adapters.http_calls.client import HttpClient
from worker.adapters.http_calls.connection import Connection
from worker.adapters.http_calls.errors import (
    AnswerTimeoutError,
    UnansweredError,
)


def test_a_connection_is_used_again_the_last_one_first(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 3, found)
            assert pool_of(found).idle == 3
            for _ in range(3):
                await post_to(wallet.port, 1, found)
            first, *others = connections(wallet)[3:]
            assert others == [first] * 2
            assert wallet.connections == 3

    play(story())


def test_each_origin_has_connections_of_its_own(play: Play) -> None:
    async def story() -> None:
        async with receiver() as one, receiver() as other, client() as found:
            for wallet in (one, other, one, other):
                assert await found.post(url(wallet.port, "/a"), b"{}") == FINE
                assert await found.post(url(wallet.port, "/b"), b"{}") == FINE
            assert (one.connections, other.connections) == (1, 1)

    play(story())


def test_a_connection_sends_without_delay(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 1, found)
            (connection,) = pool_of(found)._open
            assert connection._transport is not None
            own = connection._transport.get_extra_info("socket")
            assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    play(story())


def test_free_connections_are_closed_after_a_while(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LONGEST_IDLE", SHORT)

    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 2, found)
            begun = asyncio.get_running_loop().time()
            await until(lambda: not wallet.open)
            assert asyncio.get_running_loop().time() - begun > SHORT / 2
            assert pool_of(found).open == 0
            assert pool_of(found)._timer is None
            await post_to(wallet.port, 1, found)
            assert wallet.connections == 3

    play(story())


def test_of_free_connections_those_in_use_stay(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LONGEST_IDLE", SHORT)

    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 2, found)
            while pool_of(found).open > 1:
                await post_to(wallet.port, 1, found)
                await asyncio.sleep(SHORT / 20)
            assert wallet.connections == 2

    play(story())


def test_one_that_is_too_old_is_not_used_although_the_loop_was_too_busy_to_close_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 2, found)
            monkeypatch.setattr(pool, "LONGEST_IDLE", 0.0)
            await post_to(wallet.port, 1, found)
            assert connections(wallet)[-1] == 3

    play(story())


@pytest.mark.parametrize(("most", "kept"), [(2, 2), (3, 3), (4, 3)])
def test_so_many_free_connections_are_kept(play: Play, monkeypatch: pytest.MonkeyPatch, most: int, kept: int) -> None:
    monkeypatch.setattr(pool, "MOST_IDLE", most)

    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 3, found)
            await until(lambda: pool_of(found).open == kept == len(wallet.open))
            assert pool_of(found).idle == kept

    play(story())


@pytest.mark.parametrize("word", [b"", b"HTTP/1.1 408 Timeout\r\n\r\n"], ids=["closes", "speaks"])
def test_a_free_connection_on_which_the_server_closes_or_speaks_is_dropped(play: Play, word: bytes) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            await post_to(wallet.port, 1, found)
            (writer,) = wallet.open
            writer.write(word) if word else writer.close()
            await until(lambda: pool_of(found).open == 0)
            assert pool_of(found).idle == 0
            await post_to(wallet.port, 1, found)
            assert connections(wallet) == [1, 2]

    play(story())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ],
    ids=["close", "HTTP/1.0", "more than was asked for"],
)
def test_a_connection_that_must_not_be_used_again_is_closed(play: Play, answer: bytes) -> None:
    async def story() -> None:
        async with receiver() as wallet, client() as found:
            wallet.answers = [answer]
            await post_to(wallet.port, 1, found)
            await until(lambda: not wallet.open)
            await post_to(wallet.port, 1, found)
            assert connections(wallet) == [1, 2]

    play(story())


def test_the_first_call_without_an_answer_lets_go_of_all_free_connections(play: Play) -> None:
    # A network that forgets its connections says no word of it: each would cost a call its whole time.
    async def story() -> None:
        async with receiver() as wallet, client(SHORT) as found:
            await post_to(wallet.port, 3, found)
            wallet.answers = [None]
            with pytest.raises(AnswerTimeoutError):
                await found.post(url(wallet.port), b"{}")
            await until(lambda: not wallet.open)
            await post_to(wallet.port, 1, found)

    play(story())


def test_a_call_without_an_answer_leaves_connections_that_were_good_since_it_began(play: Play) -> None:
    async def story() -> None:
        async with receiver() as wallet, client(SHORT) as found:
            wallet.answers = [None]
            hangs = asyncio.create_task(found.post(url(wallet.port), b"{}"))
            await until(lambda: len(wallet.received) == 1)
            await post_to(wallet.port, 2, found)
            with pytest.raises(AnswerTimeoutError):
                await hangs
            await post_to(wallet.port, 2, found)
            assert wallet.connections == 3

    play(story())


LATE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("word", [b"", LATE], ids=["closes", "speaks"])
def test_what_a_server_does_while_the_loop_is_busy_is_no_answer_to_the_next_request(play: Play, word: bytes) -> None:
    def serve(listening: socket.socket, is_done: threading.Event) -> None:
        first, _ = listening.accept()
        with first:
            first.recv(10_000)
            first.sendall(OK)
            time.sleep(SHORT / 4)  # the client's loop is busy by then
            first.sendall(word) if word else first.shutdown(socket.SHUT_WR)
            is_done.set()
            second, _ = listening.accept()
            with second:
                second.recv(10_000)
                second.sendall(OK)

    async def story() -> None:
        is_done = threading.Event()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = threading.Thread(target=serve, args=(listening, is_done))
            serving.start()
            to = url(listening.getsockname()[1])
            async with client() as found:
                assert await found.post(to, b"{}") == FINE
                assert is_done.wait(PATIENCE)
                assert await found.post(to, b"{}") == FINE
                await asyncio.to_thread(serving.join)

    play(story())


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_with_tls_too_a_connection_is_used_again_after_a_while(play: Play, tmp_path: Path, pause: float) -> None:
    # Of TLS 1.3, tickets come unasked, after the handshake.
    context, root = tls_for("localhost", tmp_path)

    async def story() -> None:
        async with receiver(context) as wallet, client(context=trusting(root)) as found:
            for _ in range(3):
                assert await found.post(f"https://localhost:{wallet.port}/", b"{}") == FINE
                time.sleep(pause)  # noqa: ASYNC251 - the loop is busy
            assert wallet.connections == 1

    play(story())


async def five_outcomes(found: HttpClient, wallet: Receiver, to: str) -> None:
    wallet.answers = [OK, b"", b"no HTTP", OK + b"x", None]
    for _ in range(5):
        with suppress(UnansweredError):
            await found.post(to, b"{}")


async def cancelled_calls(found: HttpClient, _: Receiver, to: str) -> None:
    for turns in range(0, 100, 7):
        call = asyncio.create_task(found.post(to, b"{}"))
        for _turn in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("calls", "generations"),
    [
        pytest.param(five_outcomes, [], id="ended"),
        # Both event loops' own ways to connect leave rings behind where they are cancelled.
        pytest.param(cancelled_calls, [2], id="cancelled"),
    ],
)
def test_nothing_is_left_of_calls_however_they_end(
    play: Play, tmp_path: Path, scheme: str, calls: Calls, generations: Sequence[int]
) -> None:
    context, root = tls_for("localhost", tmp_path)

    async def once() -> None:
        async with (
            receiver(context if scheme == "https" else None) as wallet,
            client(SHORT, trusting(root)) as found,
        ):
            to = f"{scheme}://localhost:{wallet.port}/"
            await calls(found, wallet, to)
            assert await found.post(to, b"{}") == FINE
            assert pool_of(found).open == 1

    async def story() -> None:
        before = alive([])
        await once()
        await until(lambda: alive(generations) == before)
        needed = open_files(), len(asyncio.all_tasks())  # by the loop itself
        await once()
        await until(lambda: alive(generations) == before)
        await until(lambda: (open_files(), len(asyncio.all_tasks())) == needed)

    gc.collect()
    gc.disable()
    try:
        play(story())
    finally:
        gc.enable()


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def alive(generations: Sequence[int]) -> int:
    """Count the connections in memory, once garbage of these generations is collected."""
    for generation in generations:
        gc.collect(generation)
    return sum(isinstance(one, Connection) for one in gc.get_objects())
