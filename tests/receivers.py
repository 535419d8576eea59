"""A merchant's HTTP server on loopback: it notes what it was sent, and answers as a test says."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    line: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    connection: int


@dataclass
class Receiver:
    """Where requests arrive. `answers` are used in turn, then every request is answered OK."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    """Whole answers; an empty one closes the connection, None never answers."""
    connections: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        self.open.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.received.append(Received(line, headers, body, connection))
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:
                    await reader.read()
                if not answer:
                    break
                writer.write(answer)
                await writer.drain()
        self.open.discard(writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def answer(status: int, *headers: str) -> bytes:
    """Return a whole answer without a body."""
    return "\r\n".join((f"HTTP/1.1 {status} Answer", *headers, "Content-Length: 0", "", "")).encode()


@asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port."""
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in found.open:
            writer.transport.abort()
        while found.open:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


@contextmanager
def receiver_beside(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver in a thread, beside a test that has no loop."""
    ready, over, found = threading.Event(), threading.Event(), []

    async def serve() -> None:
        async with receiver(tls) as one:
            found.append(one)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        over.set()
        thread.join()
