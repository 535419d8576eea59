"""Writes inputs to a server over real sockets and reads what comes back, to the byte."""

import asyncio
from typing import NamedTuple

import httptools

PATIENCE = 30.0
"""Seconds for an answer that must come: a server that takes longer hangs. Machines that run this are shared."""
_A_MOMENT = 0.15
"""Seconds for an answer that need not come."""
_MOST = 64 * 1024


class Answered(NamedTuple):
    """One answer."""

    status: int
    content_type: str
    body: bytes


class Exchange(NamedTuple):
    """What became of an input."""

    answers: list[Answered]
    hung: bool
    """The answers that must come did not, and the connection stayed open."""
    unreadable: str
    """Why what came is no HTTP; empty if it is."""


class Connection:
    """A connection that is opened anew whenever the server closes it or nobody knows what it waits for."""

    def __init__(self, host: str, port: int) -> None:
        """Connect at the first exchange."""
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, raw: bytes, answers: int) -> Exchange:
        """Write an input; with `answers` wait for so many, without for what comes at once.

        As every HTTP client does, one that finds a connection closed that was used before tries once more on a new one.
        """
        was_used = self._streams is not None
        became = await self._attempt(raw, answers)
        if was_used and answers and not became.answers and not became.hung:
            became = await self._attempt(raw, answers)
        return became

    async def _attempt(self, raw: bytes, answers: int) -> Exchange:
        reader, writer = await self._open()
        found = _Answers(raw.startswith(b"HEAD "))
        writing = asyncio.ensure_future(_write(writer, raw))
        try:
            async with asyncio.timeout(PATIENCE if answers else _A_MOMENT):
                while not found.ended and (not answers or len(found.answers) < answers):
                    part = await reader.read(_MOST)
                    if not part:
                        found.ended = True
                    else:
                        found.feed(part)
        except TimeoutError:
            await self._drop(writing)
            return Exchange(found.answers, bool(answers), found.unreadable)
        except ConnectionError:
            found.ended = True
        if found.ended or not answers or not writing.done():
            await self._drop(writing)
        return Exchange(found.answers, hung=False, unreadable=found.unreadable)

    async def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.transport.abort()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        return self._streams

    async def _drop(self, writing: "asyncio.Future[None]") -> None:
        await self.close()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)


async def _write(writer: asyncio.StreamWriter, raw: bytes) -> None:
    writer.write(raw)
    await writer.drain()


class _Answers:
    """Parses answers; interim ones (1xx) do not count."""

    def __init__(self, is_head: bool) -> None:  # noqa: FBT001
        self.answers: list[Answered] = []
        self.ended = False
        """Nothing more can come, or nothing more can be read."""
        self.unreadable = ""
        self._is_head = is_head
        self._begin()

    def feed(self, part: bytes) -> None:
        try:
            self._parser.feed_data(part)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.ended = True
            if not self._is_head:
                self.unreadable = repr(error)

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._type, self._body = "", b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header (called by the parser)."""
        if name.lower() == b"content-type":
            self._type = value.decode("latin-1")
        if name.lower() == b"connection" and value.lower() == b"close":
            self._closes = True

    def on_message_begin(self) -> None:
        """Begin an answer (called by the parser)."""
        self._type, self._body, self._closes = "", b"", False

    def on_headers_complete(self) -> None:
        """Take an answer to HEAD, which has no body (called by the parser)."""
        if self._is_head:
            self.answers.append(Answered(self._parser.get_status_code(), self._type, b""))
            self.ended = True

    def on_body(self, part: bytes) -> None:
        """Take a part of the body (called by the parser)."""
        self._body += part

    def on_message_complete(self) -> None:
        """Take the answer (called by the parser)."""
        status = self._parser.get_status_code()
        if status >= 200 and not self._is_head:
            self.answers.append(Answered(status, self._type, self._body))
            self.ended = self._closes
