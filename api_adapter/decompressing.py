"""Gzip bodies, piece by piece and within bounds (RFC 1952): whoever sends a bomb is told so after its first bytes."""

import zlib
from collections.abc import Iterator, Mapping
from enum import StrEnum

from worker.contract.errors import TidingsError

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 64 * 1024
"""Most bytes of what is yielded at a time."""
FREE_MEMBERS = 1_000
_BYTES_A_MEMBER = 1_000
"""A body may be made of many members, such as blocks of 64 KiB, but tiny ones cost more than they say."""


class Encoding(StrEnum):
    """How a body is sent."""

    PLAIN = "identity"
    GZIP = "gzip"


_NAMES = {"": Encoding.PLAIN, "identity": Encoding.PLAIN, "gzip": Encoding.GZIP, "x-gzip": Encoding.GZIP}


def encoding_of(headers: Mapping[str, str]) -> Encoding | None:
    """Return what the Content-Encoding header says; None for what is not read here."""
    return _NAMES.get(headers.get("content-encoding", "").strip().lower())


class BodyTooLargeError(TidingsError):
    """A body holds more than it may."""


class NotGzipError(TidingsError):
    """A body is not what its Content-Encoding says."""


class Gunzip:
    """Decompresses one body."""

    def __init__(self, most: int) -> None:
        """Start with nothing; `most` is how many bytes the body may hold once it is decompressed."""
        self._most = most
        self._size = 0
        self._members = 0
        self._member: zlib._Decompress | None = None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what some more of the body holds; raise BodyTooLargeError or NotGzipError."""
        while data:
            member = self._member or self._next_member()
            try:
                piece = member.decompress(data, _PIECE)
                while piece:
                    yield self._counted(piece)
                    data = member.unconsumed_tail
                    piece = member.decompress(data, _PIECE) if not member.eof else b""
            except zlib.error:
                raise NotGzipError("the body is not gzip") from None
            data = member.unused_data
            if member.eof:
                self._member = None

    def finish(self) -> None:
        """Raise NotGzipError unless the body is whole."""
        if self._member is not None or not self._members:
            raise NotGzipError("the body is not whole: its gzip ends too soon")

    def _next_member(self) -> "zlib._Decompress":
        if self._members >= FREE_MEMBERS and self._members * _BYTES_A_MEMBER > self._size:
            raise NotGzipError("the body has too many tiny gzip members")
        self._members += 1
        self._member = zlib.decompressobj(_GZIP)
        return self._member

    def _counted(self, piece: bytes) -> bytes:
        self._size += len(piece)
        if self._size > self._most:
            raise BodyTooLargeError(f"the body is larger than {self._most} bytes once it is decompressed")
        return piece


def gunzip(body: bytes, most: int) -> bytes:
    """Return what a whole body holds; raise BodyTooLargeError or NotGzipError."""
    decompression = Gunzip(most)
    whole = b"".join(decompression.feed(body))
    decompression.finish()
    return whole
