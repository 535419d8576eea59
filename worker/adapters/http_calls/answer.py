"""Reads the answers that come over one connection. Nothing of what a server sends is trusted."""

from typing import NamedTuple, final

import httptools

from worker.adapters.http_calls.errors import BrokenAnswerError, UnreadableAnswerError

LARGEST_HEAD = 65_536
"""Most bytes of an answer's head, with those of interim answers before it."""
LARGEST_ANSWER = 4_194_304
"""Most bytes of an answer as it comes over the line: heads, body and what frames it."""

_INTERIM = range(100, 200)
_RETRY_AFTER = b"retry-after"
_FRAMING = (b"content-length", b"transfer-encoding")
_LENGTHS = frozenset(len(name) for name in (_RETRY_AFTER, *_FRAMING))


class Reply(NamedTuple):
    """A server's answer, whatever its status."""

    status: int
    retry_after: str | None
    """The first Retry-After header, as it is."""
    body: bytes
    """As it was sent: what is compressed stays so."""


@final
class AnswerReader:
    """Cuts the bytes of a connection into the answers they are, one at a time.

    What follows an answer was not asked for: what is there with its end is not read as the next one, and the connection
    may not stay, unless it is but line ends. What comes later, `Pool.take` looks for.
    """

    may_stay: bool
    """Whether the connection can carry another request once the answer is whole."""

    def __init__(self) -> None:
        """Be ready for the first answer."""
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._retry_after: str | None = None
        self._reply: Reply | None = None
        self.begin()

    def begin(self) -> None:
        """Be ready for the answer to the next request."""
        self.may_stay = False
        self._size = 0
        self._status = 0
        self._has_head = False
        self._ends_with_connection = True
        self._retry_after = None
        self._body: list[bytes] = []
        self._reply = None

    def feed(self, data: bytes) -> Reply | None:
        """Take what came; return the answer once it is whole.

        Raises:
            UnreadableAnswerError: the parser doesn't take it for HTTP/1.1 (RFC 9112), or it is too large, with all that
                came after it.

        """
        self._size += len(data)
        if self._size > LARGEST_ANSWER:
            raise UnreadableAnswerError("too large")
        try:
            self._parse(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.may_stay = False
            if self._reply is None:
                raise UnreadableAnswerError(_fault(error)) from None
        return self._reply

    def end(self) -> Reply:
        """Return the answer that ends as the server sends no more: one without a length may (RFC 9112, section 6.3).

        Raises:
            BrokenAnswerError: it isn't whole.

        """
        if self._has_head and self._ends_with_connection:
            return self._whole()
        raise BrokenAnswerError("closed before the answer's end")

    def close(self) -> None:
        """Let go of the parser. It refers back to this: without, both are freed at once."""
        self._parser = None

    def on_message_begin(self) -> None:
        """Note that an answer begins (called by the parser)."""
        if self._reply is not None:
            self.may_stay = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header that matters; those that follow a body don't (called by the parser)."""
        if len(name) not in _LENGTHS or self._has_head:
            return
        lower = name.lower()
        if lower in _FRAMING:
            self._ends_with_connection = False
        elif lower == _RETRY_AFTER and self._retry_after is None:
            self._retry_after = value.strip().decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note the head of an answer, and forget an interim one (called by the parser)."""
        if self._parser is None:
            return
        self._status = self._parser.get_status_code()
        if self._status in _INTERIM:
            self._ends_with_connection = True
            self._retry_after = None
        else:
            self._has_head = True

    def on_body(self, part: bytes) -> None:
        """Take a part of the body (called by the parser)."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Take the answer that is whole, unless it is interim (called by the parser)."""
        if self._has_head and self._reply is None and self._parser is not None:
            self._reply = self._whole()
            self.may_stay = self._parser.should_keep_alive()

    def _whole(self) -> Reply:
        return Reply(self._status, self._retry_after, b"".join(self._body))

    def _parse(self, data: bytes) -> None:
        if self._parser is None:
            return
        beyond = self._size - LARGEST_HEAD
        if beyond > 0 and not self._has_head:
            self._parser.feed_data(data[:-beyond])
            if not self._has_head:
                raise UnreadableAnswerError("its head is too large")
            data = data[-beyond:]
        self._parser.feed_data(data)


def _fault(error: httptools.HttpParserError | httptools.HttpParserUpgrade) -> str:
    """Return what is wrong with an answer; the parser's texts are its own alone, and hold nothing of what came."""
    if isinstance(error, httptools.HttpParserUpgrade):
        return "it changes the protocol"
    return f"no HTTP/1.1: {error}"
