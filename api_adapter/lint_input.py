"""Tells a stream that is one send, written over any number of lines, from a stream of one send a line."""

import io
from typing import BinaryIO, TypeAlias

import orjson
from typing_extensions import Buffer, override

from api_adapter.reading import MAX_BODY

OneSend: TypeAlias = bytes


def one_or_many(stream: BinaryIO) -> OneSend | BinaryIO:
    """Return the one send that a stream is, or the stream as it was; reads no further than a send may be long."""
    head = stream.read(MAX_BODY + 1)
    return head if _is_one(head) else io.BufferedReader(_Rejoined(head, stream))


def _is_one(head: bytes) -> bool:
    if len(head) > MAX_BODY:
        return False
    try:
        return isinstance(orjson.loads(head), dict)
    except orjson.JSONDecodeError:
        return False


class _Rejoined(io.RawIOBase):
    """What was read already, then the rest of its stream."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int:
        room = memoryview(buffer)
        piece = self._head[: len(room)] or self._rest.read(len(room))
        self._head = self._head[len(piece) :]
        room[: len(piece)] = piece
        return len(piece)
