"""The HTTP client of wallet calls, and servers that it calls on loopback."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress

from tests.receivers import Receiver
from worker.adapters.http_calls.answer import Reply
from worker.adapters.http_calls.client import HttpClient
from worker.adapters.http_calls.pool import Pool

PATIENCE = 5.0
SHORT = 0.2
FINE = Reply(200, None, b"ok")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

Story = Coroutine[None, None, None]
Play = Callable[[Story], None]
Calls = Callable[[HttpClient, Receiver, str], Awaitable[None]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def client(seconds: float = PATIENCE, context: ssl.SSLContext | None = None) -> AsyncIterator[HttpClient]:
    found = HttpClient(seconds, context)
    try:
        yield found
    finally:
        await found.close()


@asynccontextmanager
async def server(serve: Serve, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve each connection by a function, which closes it; yields the port."""
    writers = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)
        writer.close()

    found = await asyncio.start_server(answer, host, 0)
    try:
        yield found.sockets[0].getsockname()[1]
    finally:
        found.close()
        for writer in writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def deaf_port() -> AsyncIterator[int]:
    """Give a port that takes no connection and refuses none: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)  # noqa: FBT003 - the standard library's
            one.connect_ex(("127.0.0.1", port))
        yield port
        for one in waiting:
            one.close()


def url(port: int, path: str = "/") -> str:
    return f"http://127.0.0.1:{port}{path}"


def pool_of(found: HttpClient) -> Pool:
    (only,) = found._pools.values()
    return only


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def post_to(port: int, times: int, found: HttpClient) -> None:
    """Make so many calls at once."""
    assert await asyncio.gather(*(found.post(url(port), b"{}") for _ in range(times))) == [FINE] * times


def connections(wallet: Receiver) -> list[int]:
    return [one.connection for one in wallet.received]


def trusting(pem: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem.decode())
