"""Commands as Redis reads them: RESP arrays of bulk strings.

A chunk is thousands of arguments, nearly all of them ASCII. Those are written as one text and encoded together, which
takes a third of the time of packing them one by one in C (docs/performance.md).
"""

from collections.abc import Sequence
from typing import Final

from redis.exceptions import DataError

_USUAL = 1_024
_HEADS: Final = [f"\r\n${size}\r\n" for size in range(_USUAL)]
"""What stands before an argument of a length, the end of what came before it included."""


def packed_command(words: Sequence[object]) -> bytes:
    """Return a command and its arguments as bytes; raise DataError for what is neither text, bytes nor a number."""
    try:
        return _packed(words)
    except UnicodeEncodeError:  # a text has more bytes than characters
        return _packed([word.encode() if isinstance(word, str) else word for word in words])


def _packed(words: Sequence[object]) -> bytes:
    """Return a command of which each text is ASCII; raise UnicodeEncodeError where one is not."""
    heads = _HEADS
    pieces: list[bytes] = []
    texts: list[str] = [f"*{len(words)}"]
    for word in words:
        written = word if isinstance(word, (str, bytes)) else _number(word)
        size = len(written)
        texts.append(heads[size] if size < _USUAL else f"\r\n${size}\r\n")
        if isinstance(written, str):
            texts.append(written)
        else:
            pieces.append("".join(texts).encode("ascii"))
            pieces.append(written)
            texts = []
    texts.append("\r\n")
    pieces.append("".join(texts).encode("ascii"))
    return b"".join(pieces)


def _number(word: object) -> str:
    # Nobody could read a boolean back as one.
    if isinstance(word, int) and not isinstance(word, bool):
        return str(int(word))
    if isinstance(word, float):
        return repr(float(word))
    raise DataError(f"Redis takes text, bytes and numbers as arguments, and no {type(word).__name__}")
