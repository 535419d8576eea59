"""Bodies that a caller may send by mistake or on purpose: JSON with one thing wrong, nearly JSON, gzip of either."""

import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

Json: TypeAlias = Any
Change: TypeAlias = Callable[[bytes, Random], bytes]

WEIRD: tuple[Json, ...] = (
    *(None, True, False, 0, -1, 1.5, -0.0, 10**400, 2**63, float("nan"), float("inf")),
    *(
        "",
        " ",
        "\0",
        "\x7f",
        "\ud800",
        "😀" * 64,
        "客" * 129,
        "a" * 70_000,
        "\u202eabc",
        "${who}",
        "${",
        "%s%n",
        "\r\nX: y",
    ),
    *("../../etc/passwd", "' OR 1=1 --", "9" * 400, "2026-13-45T99:99:99Z", "en-" * 30, "i-klingon", "://", "{}", "[]"),
    *([], {}, [[]], {"": ""}, [None] * 600, {"a": {"b": {"c": {}}}}),
)
"""What a field may hold that nobody meant."""
_NAMES = ("unknown", "", "__proto__", "appId ", "\ud800", "a" * 300)
_INSERTED = ("\0", "\n", " ", "@", "#", "é", "\ud83d", "\u200b", "x" * 4_097)
_NO_VALUES = (b"NaN", b"1e999", b"-", b"nul", b"0x1", b"'a'")
_TAILS = (b"}", b"\0", b"{}", b" \n", b"\xff")


def mutated(value: Json, draw: Random) -> Json:
    """Return a value of JSON that differs in one place, somewhere inside."""
    if value and draw.random() < 0.85:
        if isinstance(value, dict):
            return _mutated_object(value, draw)
        if isinstance(value, list):
            return _mutated_array(value, draw)
    if isinstance(value, str) and draw.random() < 0.3:
        place = draw.randint(0, len(value))
        return value[:place] + draw.choice(_INSERTED) + value[place:]
    return draw.choice(WEIRD)


def _mutated_object(value: dict[str, Json], draw: Random) -> Json:
    name, kind = draw.choice(list(value)), draw.randrange(6)
    if kind == 0:
        return {inner: value[inner] for inner in value if inner != name}
    if kind == 1:
        return {**value, draw.choice(_NAMES): draw.choice(WEIRD)}
    return {**value, name: mutated(value[name], draw)}


def _mutated_array(value: list[Json], draw: Random) -> Json:
    place, kind = draw.randrange(len(value)), draw.randrange(4)
    if kind == 0:
        return value + value
    if kind == 1:
        return value[:place]
    return [*value[:place], mutated(value[place], draw), *value[place + 1 :]]


def written(value: Json, draw: Random) -> bytes:
    """Return a value as JSON, or nearly so."""
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5, indent=draw.choice((None, None, None, 1)))
    body = text.encode("utf-8", "surrogatepass")
    return draw.choice(_SPOILT)(body, draw) if draw.random() < 0.2 else body


def flipped(raw: bytes, draw: Random) -> bytes:
    """Return bytes of which some have another bit."""
    changed = bytearray(raw)
    for _ in range(draw.choice((1, 1, 3, 10)) if changed else 0):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(raw: bytes, draw: Random) -> bytes:
    """Return the beginning of bytes."""
    return raw[: draw.randint(0, len(raw))]


def gzipped(body: bytes, draw: Random) -> bytes:
    """Return a body as gzip, or nearly so."""
    return draw.choice(_SPOILT_GZIP)(_packed(body), draw)


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def _without_value(body: bytes, draw: Random) -> bytes:
    return body.replace(b'":', b'":' + draw.choice(_NO_VALUES), 1)


def _utf16(body: bytes, _: Random) -> bytes:
    return body.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass")


_SPOILT: tuple[Change, ...] = (
    cut,
    flipped,
    gzipped,
    gzipped,
    gzipped,
    _without_value,
    _utf16,
    lambda body, draw: body + draw.choice(_TAILS),
    lambda body, _: b"\xef\xbb\xbf" + body,
    lambda body, draw: b"[" * draw.choice((100, 20_000)) + body,
    lambda _, draw: draw.randbytes(draw.randint(0, 200)),
    lambda body, _: body[:-1] + b"," + body[1:] if body[:1] == b"{" else body,  # every name twice
)
_SPOILT_GZIP: tuple[Change, ...] = (
    lambda packed, _: packed,
    cut,
    flipped,
    lambda packed, _: packed + packed,
    lambda packed, _: packed + b"\0trailing",
    lambda packed, _: _packed(packed),
    lambda _, draw: _packed(b"\0" * draw.choice((100_000, 5_000_000))),
)
