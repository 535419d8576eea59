"""One connection to a server: a request, its answer, the next request."""

import asyncio
import select
from collections.abc import Callable
from typing import NamedTuple, cast, final

from worker.adapters.http_calls.answer import AnswerReader, Reply
from worker.adapters.http_calls.errors import BrokenAnswerError, ConnectError, UnansweredError, UnreadableAnswerError


class Failure(NamedTuple):
    """Why a request has no answer: an error yet to be raised, since a raised one and its frames hold each other."""

    error: type[UnansweredError]
    reason: str


Outcome = Reply | Failure
"""What becomes of a request."""


@final
class Connection:
    """An `asyncio.Protocol` in all but name: a compiled class is only quick if its bases are compiled too.

    It is free from `connection_made` on, busy from `send` until the outcome is there, and then free again or closed. A
    server that speaks while it is free answers nobody: the connection is closed.
    """

    def __init__(self, made: Callable[["Connection"], None], lost: Callable[["Connection"], None]) -> None:
        """Make it for a transport; `made` and `lost` hear of its begin and its end."""
        self._made = made
        self._lost = lost
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Outcome] | None = None
        self._is_aborted = False

    @property
    def is_open(self) -> bool:
        """Whether a request could be written."""
        return self._transport is not None and not self._transport.is_closing()

    def has_unread(self) -> bool:
        """Whether the server said something, or closed, and the event loop has yet to tell."""
        if self._transport is None:
            return True
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def send(self, request: bytes, waiter: "asyncio.Future[Outcome]") -> None:
        """Send a request while the connection is free; its outcome goes to `waiter`, unless that is done by then.

        Raises:
            ConnectError: the connection ended; nothing was written.

        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectError("the connection ended before the request was written")
        self._reader.begin()
        self._waiter = waiter
        self._transport.write(request)

    def abort(self) -> None:
        """Close without waiting for anything; a request under way has no answer."""
        self._is_aborted = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the transport)."""
        self._transport = cast("asyncio.Transport", transport)
        self._made(self)

    def connection_lost(self, error: Exception | None) -> None:
        """End (called by the transport)."""
        closed = "closed by us" if self._is_aborted else "closed by the server"
        self._fail(BrokenAnswerError, type(error).__name__ if error else closed)
        self._reader.close()
        self._transport = None
        self._lost(self)

    def pause_writing(self) -> None:
        """Go on: one request is written at a time (called by the transport)."""

    def resume_writing(self) -> None:
        """Go on (called by the transport)."""

    def data_received(self, data: bytes) -> None:
        """Read a part of an answer (called by the transport)."""
        if self._waiter is None:
            self.abort()
            return
        try:
            reply = self._reader.feed(data)
        except UnreadableAnswerError as error:
            self._fail(UnreadableAnswerError, str(error))
            return
        if reply is not None:
            self._succeed(reply)

    def eof_received(self) -> None:
        """Hear that the server sends no more, whereupon the transport closes (called by the transport)."""
        if self._waiter is not None:
            try:
                self._succeed(self._reader.end())
            except BrokenAnswerError as error:
                self._fail(BrokenAnswerError, str(error))
        self.abort()

    def _succeed(self, reply: Reply) -> None:
        # The rest of a request that is answered before it is written would be taken for another one.
        if not self._reader.may_stay or (self._transport is not None and self._transport.get_write_buffer_size()):
            self.abort()
        self._tell(reply)

    def _fail(self, error: type[UnansweredError], reason: str) -> None:
        if self._waiter is not None:
            self.abort()
            self._tell(Failure(error, reason))

    def _tell(self, outcome: Outcome) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)
