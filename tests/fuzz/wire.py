"""How a request goes over the wire: where to, framed how, and what may break on the way."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from tests.fuzz.bodies import cut, flipped

Headers: TypeAlias = list[tuple[bytes, bytes]]

_LENGTHS = (b"Content-Length: -", b"Content-Length : ", b"Content-Length: 9")
_VERSIONS = (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"http/1.1", b"HTTP/1.1 x", b"")
_TWO_FRAMINGS = b"\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"


def quoted(text: str) -> str:
    """Return a text as a part of a path."""
    return "".join(
        f"%{byte:02X}" if not 33 <= byte <= 126 or byte in b"/?#%{}&=+" else chr(byte)
        for byte in text.encode("utf-8", "surrogatepass")
    )


def another_target(path: bytes, draw: Random) -> bytes:
    """Return another request target than a path."""
    return draw.choice(
        (
            *(path + b"/", b"/" + path, path.upper(), path + b"?a=b&a=%ff", path + b"?" + b"x" * 9_000, path + b"%00"),
            *(b"/./" + path, b"/../" + path, path.replace(b"/", b"%2F"), path.replace(b"e", b"%65"), b"/", b"*", b"//"),
            *(b"http://other.test" + path, path + b"/\xc3\xa9", path + b"%zz", b"/api/open" + path, path + b";a=b"),
            b"/" + bytes(draw.choices(range(33, 127), k=draw.randint(0, 60))),
        )
    )


def framed(body: bytes, draw: Random) -> tuple[bytes, Headers]:
    """Return a body as it goes over the wire, and the headers that say how."""
    if draw.random() < 0.8:
        return body, [(b"Content-Length", b"%d" % len(body))]
    return _chunked(body, draw), [(b"Transfer-Encoding", b"chunked")]


def _chunked(body: bytes, draw: Random) -> bytes:
    chunks: list[bytes] = []
    at = 0
    while at < len(body):
        size = draw.choice((1, 7, 100, 4_096, 65_536)) if len(chunks) < 50 else len(body)
        part = body[at : at + size]
        extension = b";a=b" if draw.random() < 0.05 else b""
        chunks.append(b"%x%b\r\n%b\r\n" % (len(part), extension, part))
        at += size
    trailer = b"X-Trailer: x\r\n" if draw.random() < 0.1 else b""
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


def broken(raw: bytes, draw: Random) -> bytes:
    """Return bytes of requests that went wrong on the way."""
    return draw.choice(_BREAKS)(raw, draw)


def _with_noise(raw: bytes, draw: Random) -> bytes:
    place = draw.randrange(len(raw))
    return raw[:place] + draw.randbytes(draw.randint(1, 8)) + raw[place:]


_BREAKS: tuple[Callable[[bytes, Random], bytes], ...] = (
    cut,
    flipped,
    _with_noise,
    lambda raw, _: raw.replace(b"\r\n", b"\n"),
    lambda raw, draw: raw.replace(b"Content-Length: ", draw.choice(_LENGTHS)),
    lambda raw, draw: raw.replace(b"HTTP/1.1", draw.choice(_VERSIONS), 1),
    lambda raw, _: raw.replace(b"\r\n\r\n", _TWO_FRAMINGS, 1),
)


def garbage(draw: Random) -> bytes:
    """Return bytes that never were a request."""
    many_headers = b"".join(b"X-%d: y\r\n" % number for number in range(draw.choice((99, 300))))
    return draw.choice(
        (
            draw.randbytes(draw.randint(1, 300)),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + draw.randbytes(60),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(200),
            b"GET /" + b"a" * draw.choice((10_000, 100_000, 600_000)) + b" HTTP/1.1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\n" + many_headers + b"\r\n",
            b"CONNECT api.test:80 HTTP/1.1\r\nHost: api.test\r\n\r\n" + draw.randbytes(20),
            b"\r\n" * draw.randint(1, 40),
        )
    )
