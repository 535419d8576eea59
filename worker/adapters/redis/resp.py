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
    pieces: list[bytes] = []
    texts: list[str] = [f"*{len(words)}"]
    for word in words:
        plain = word if isinstance(word, str) and word.isascii() else _number(word)
        written: str | bytes = _content(word) if plain is None else plain
        size = len(written)
        texts.append(_HEADS[size] if size < _USUAL else f"\r\n${size}\r\n")
        if isinstance(written, str):
            texts.append(written)
        else:
            pieces.append("".join(texts).encode())
            pieces.append(written)
            texts = []
    texts.append("\r\n")
    pieces.append("".join(texts).encode())
    return b"".join(pieces)


def _number(word: object) -> str | None:
    """Return a number as text, None for everything else."""
    # Nobody could read a boolean back as one.
    if isinstance(word, int) and not isinstance(word, bool):
        return str(int(word))
    return repr(float(word)) if isinstance(word, float) else None


def _content(word: object) -> bytes:
    if isinstance(word, bytes):
        return word
    if isinstance(word, str):
        return word.encode()
    raise DataError(f"Redis takes text, bytes and numbers as arguments, and no {type(word).__name__}")
