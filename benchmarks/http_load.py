"""An HTTP client that costs little, so that a benchmark measures the server: ready bytes over connections kept open."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from typing_extensions import override

CLIENT = "bench"
"""Who sends."""
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Exchange(NamedTuple):
    """One request and its answer."""

    began: float
    """Seconds, of the machine's monotonic clock."""
    milliseconds: float
    body: bytes


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time."""

    def __init__(self) -> None:
        """Begin without an address; `connect` gives one."""
        self._received = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = bytes(self._received).partition(_HEAD_END)
        length = _LENGTH.search(head)
        if found and length and len(rest) >= int(length[1]) and self._answer:
            self._received.clear()
            self._answer.set_result(head.partition(b"\r\n")[0] + _HEAD_END + rest)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    async def exchange(self, request: bytes) -> Exchange:
        """Send a request and wait for its answer. Raises RuntimeError unless it is HTTP 200."""
        assert self._transport  # noqa: S101 - connected
        began = time.perf_counter()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        status, _, body = (await self._answer).partition(_HEAD_END)
        if b" 200" not in status:
            raise RuntimeError(status)
        return Exchange(began, (time.perf_counter() - began) * 1e3, body)

    def close(self) -> None:
        """Close it."""
        if self._transport:
            self._transport.close()


async def connect(url: str, number: int) -> list[Connection]:
    """Open connections to a server."""
    host, _, port = urlsplit(url).netloc.partition(":")
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(Connection, host, int(port)) for _ in range(number)]
    return [connection for _, connection in opened]


def post(path: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Return a request as it goes over the wire, with more headers than it needs."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nClient-Id: {CLIENT}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
    )
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{head}{more}\r\n".encode() + body


async def flat_out(connections: Sequence[Connection], requests: Iterable[bytes]) -> list[Exchange]:
    """Send everything, each connection its next request as soon as it has its answer."""
    waiting = iter(requests)
    done: list[Exchange] = []

    async def send_on(connection: Connection) -> None:
        for request in waiting:
            done.append(await connection.exchange(request))  # noqa: PERF401 - shared between the connections

    await asyncio.gather(*map(send_on, connections))
    return done


async def at_rate(connections: Sequence[Connection], requests: Sequence[bytes], rate: float) -> list[Exchange]:
    """Send everything at so many a second, whatever the answers take, as long as a connection is free."""
    started = time.perf_counter()
    done: list[Exchange] = []

    async def send_some(first: int) -> None:
        for place in range(first, len(requests), len(connections)):
            await asyncio.sleep(max(0.0, started + place / rate - time.perf_counter()))
            done.append(await connections[first].exchange(requests[place]))

    await asyncio.gather(*map(send_some, range(len(connections))))
    return done
