"""Lines of a file of sends, in chunks. Memory holds one chunk, however long the file."""

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from api_adapter.reading import MAX_BODY

CHUNK_LINES = 2_000
_CHUNK_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = MAX_BODY + len(b"\r\n") + 1
_SPACE = b" \t\r\n"
_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the stream that is not blank."""

    number: int
    """From 1, blank lines counted."""
    body: bytes = field(repr=False)
    """One send; of a line that is larger than any send may be, only so much that intake sees that it is."""
    offset: int = 0
    """Bytes before it."""


class LineReader:
    """Cuts a stream of lines into chunks, and knows a digest of all that it has read."""

    def __init__(self, stream: BinaryIO) -> None:
        """Keep the stream, at its beginning."""
        self._stream = stream
        self._digest = hashlib.sha256()
        self.bytes_read = 0
        self.number = 0
        """Of the line that was read last."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything that was read, in hexadecimal digits."""
        return self._digest.hexdigest()

    def pass_over(self, size: int, number: int) -> str:
        """Read `size` bytes without looking at them, up to the end of line `number`; return the digest then."""
        while self.bytes_read < size and (block := self._stream.read(min(_BLOCK, size - self.bytes_read))):
            self._count(block)
        self.number = number
        return self.digest

    def chunks(self) -> Iterator[list[Line]]:
        """Yield chunks of lines, none of them empty."""
        chunk: list[Line] = []
        start = self.bytes_read
        for line in self._lines():
            chunk.append(line)
            if len(chunk) >= CHUNK_LINES or self.bytes_read - start >= _CHUNK_BYTES:
                yield chunk
                chunk, start = [], self.bytes_read
        if chunk:
            yield chunk

    def _lines(self) -> Iterator[Line]:
        while True:
            offset = self.bytes_read
            piece = self._read()
            if not piece:
                return
            self.number += 1
            line = _line(self.number, offset, piece)
            if _is_cut(piece):
                self._pass_over_rest()
            if line.body:
                yield line

    def _pass_over_rest(self) -> None:
        while (rest := self._read()) and not rest.endswith(b"\n"):
            pass

    def _read(self) -> bytes:
        piece = self._stream.readline(_LONGEST_LINE)
        self._count(piece)
        return piece

    def _count(self, piece: bytes) -> None:
        self.bytes_read += len(piece)
        self._digest.update(piece)


def read_line(stream: BinaryIO, number: int, offset: int) -> Line:
    """Return the line that begins at an offset of a stream that can seek."""
    stream.seek(offset)
    return _line(number, offset, stream.readline(_LONGEST_LINE))


def _line(number: int, offset: int, piece: bytes) -> Line:
    if _is_cut(piece):
        return Line(number, piece, offset)
    return Line(number, (piece.removeprefix(codecs.BOM_UTF8) if number == 1 else piece).strip(_SPACE), offset)


def _is_cut(piece: bytes) -> bool:
    return len(piece) == _LONGEST_LINE and not piece.endswith(b"\n")
