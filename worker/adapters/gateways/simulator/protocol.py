"""One HTTP/1.1 connection, under full control: requests are served one by one, in order, and may stay unanswered."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from socket import SO_LINGER, SOL_SOCKET
from typing import assert_never, cast, final

import httptools

from worker.adapters.gateways.simulator.exchange import Reply, Request, Reset, Response, Silence, encode_head

MAX_WAITING = 64
"""Requests that a client may send ahead of the answer that is due; past that nothing more is read."""

_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)
"""SO_LINGER switched on with 0 seconds: closing sends RST."""


@final
class Connection:
    """A client's connection, from `connection_made` to `connection_lost` in `connections`.

    An `asyncio.Protocol` in all but name: a compiled class is only quick if its bases are compiled too.
    """

    closed: asyncio.Future[None]
    """Done once the connection is gone."""
    _transport: asyncio.Transport

    def __init__(self, serve: Callable[[Request], Reply], connections: set["Connection"], max_body: int) -> None:
        """Ask `serve` what follows each request; a body above `max_body` bytes is thrown away and marked."""
        self._serve = serve
        self._connections = connections
        self._max_body = max_body
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_deaf = False  # whatever else the client sends is not read as requests
        self._is_silent = False
        self._is_choked = False  # the client doesn't take its answers
        self._is_paused = False
        self._is_finishing = False
        self._target = b""
        self._body: list[bytes] = []
        self._size = 0

    @property
    def is_held(self) -> bool:
        """Whether an answer is being waited for, perhaps in vain."""
        return self._is_silent or self._timer is not None

    def finish(self) -> None:
        """Close soon: after a slow answer that is under way, at once otherwise."""
        self._is_finishing = True
        if self._is_silent:
            self.abort()
        elif self._timer is None:
            self._transport.close()

    def abort(self) -> None:
        """Close without sending what is left."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the transport)."""
        self._transport = cast("asyncio.Transport", transport)
        self.closed = asyncio.get_running_loop().create_future()
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """End (called by the transport)."""
        self._connections.discard(self)
        self.closed.set_result(None)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """Answer nothing more for now (called by the transport)."""
        self._is_choked = True

    def resume_writing(self) -> None:
        """Answer again (called by the transport)."""
        self._is_choked = False
        self._serve_waiting()

    def eof_received(self) -> None:
        """Let the transport close (called by it)."""

    def data_received(self, data: bytes) -> None:
        """Serve what is complete with this (called by the transport)."""
        if not self._is_deaf:
            self._parse(data)
            self._serve_waiting()

    def on_message_begin(self) -> None:
        """Begin a request (called by the parser)."""
        self._target = b""
        self._body = []
        self._size = 0

    def on_url(self, part: bytes) -> None:
        """Take the target or a part of it (called by the parser)."""
        self._target += part

    def on_body(self, part: bytes) -> None:
        """Take a part of the body (called by the parser)."""
        self._size += len(part)
        if self._size <= self._max_body:
            self._body.append(part)

    def on_message_complete(self) -> None:
        """Queue the request that is complete (called by the parser)."""
        method, target = self._parser.get_method().decode(), self._target.decode("latin-1")
        fault = self._fault(method)
        self._is_deaf = fault is HTTPStatus.NOT_IMPLEMENTED or not self._parser.should_keep_alive()
        self._waiting.append(Request(method, target, b"".join(self._body), self._is_deaf, fault))

    def _fault(self, method: str) -> HTTPStatus | None:
        if self._size > self._max_body:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if self._parser.should_upgrade() and method != "GET":
            return HTTPStatus.NOT_IMPLEMENTED  # the parser takes the body for the other protocol's first words
        return None

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._is_deaf:  # an offer of h2c, say, is declined by going on in HTTP/1.1
                self._parse(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self._is_deaf:
                self._is_deaf = True
                self._waiting.append(Request("", "", b"", is_last=True, fault=HTTPStatus.BAD_REQUEST))

    def _serve_waiting(self) -> None:
        while self._waiting and not self.is_held and not self._is_choked:
            request = self._waiting.popleft()
            self._follow(request, self._serve(request))
        self._regulate_reading()

    def _follow(self, request: Request, reply: Reply) -> None:
        if isinstance(reply, Response):
            if reply.delay:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(reply.delay / 1000, self._write_late, request, reply)
            else:
                self._write(request, reply)
        elif isinstance(reply, Silence):
            self._is_deaf = self._is_silent = True
            self._waiting.clear()
        elif isinstance(reply, Reset):
            self._reset()
        else:
            assert_never(reply)

    def _write(self, request: Request, response: Response) -> None:
        is_last = request.is_last or self._is_finishing
        head = encode_head(response, is_last=is_last)
        self._transport.write(head if request.method == "HEAD" else head + response.body)
        if is_last:
            self._waiting.clear()
            self._transport.close()

    def _write_late(self, request: Request, response: Response) -> None:
        self._timer = None
        self._write(request, response)
        self._serve_waiting()

    def _reset(self) -> None:
        self._waiting.clear()
        self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _LINGER_NOT_AT_ALL)
        self._transport.abort()

    def _regulate_reading(self) -> None:
        is_full = len(self._waiting) >= MAX_WAITING
        if is_full and not self._is_paused:
            self._transport.pause_reading()
        elif self._is_paused and not is_full:
            self._transport.resume_reading()
        self._is_paused = is_full
