"""Inputs for the HTTP surface: requests of real callers, changed wherever a byte can be. Seed and number say all."""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from random import Random
from typing import NamedTuple, TypeAlias

from tests.fuzz.bodies import WEIRD, cut, flipped, gzipped, mutated, written
from tests.fuzz.surface import Json, Operation, Surface
from tests.fuzz.wire import Headers, another_target, broken, framed, garbage, quoted

Sign: TypeAlias = Callable[[bytes, bytes, bytes], Headers]
"""Gets method, path with its query, and body; returns the headers that sign them."""

_TYPES = (
    *(b"application/json", b"application/json; charset=utf-8", b"application/json;charset=UTF-8", b"APPLICATION/JSON"),
    *(b"application/json; charset=utf-16", b"application/json; charset=latin-1", b"application/json; charset=\xff"),
    *(b"text/plain", b"text/json", b"", b";", b"application/json;" * 50, b"multipart/form-data; boundary=x", b"*/*"),
    *(b"application/x-ndjson", b"text/csv", b"application/gzip", b"application/json, text/plain"),
)
_ENCODINGS = (
    *(b"gzip", b"GZIP", b"gzip, gzip", b"deflate", b"br", b"identity", b"x-gzip", b"zstd", b"", b"\xff", b"gzip;q=1"),
)
_CLIENTS = (b"merchant-1", b"", b" ", b"merchant-1 ", b"other", b"\xff\xfe", b"a" * 129, b"a" * 9_000, b"m\tx", b"m#?@")
_SIGNATURES = (
    b"",
    b"algorithm=RSA256",
    b"algorithm=RSA256, keyVersion=1, signature=",
    b"algorithm=RSA256,keyVersion=99999999999999999999,signature=AAAA",
    b"algorithm=RSA256, keyVersion=-1, signature=%%%",
    b"algorithm=none, signature=x",
    b"signature=" + b"A" * 5_000,
    b"=,=,=,;",
    b"algorithm=RSA256, keyVersion=1, signature=\xff\xfe",
)
_TIMES = (b"", b"0", b"-1", b"9" * 40, b"2026-01-01T00:00:00Z", b"2026-02-30T25:61:61+99:99", b"now", b"1e999", b"\xff")
_METHODS = (b"GET", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD", b"TRACE", b"PROPFIND", b"post", b"P0ST")
_EXTRA: tuple[tuple[bytes, bytes], ...] = (
    (b"Expect", b"100-continue"),
    (b"Expect", b"nothing"),
    (b"Accept", b"application/openmetrics-text; version=1.0.0; q=9, */*; q=x"),
    (b"Accept-Encoding", b"gzip, br;q=0"),
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Upgrade", b"websocket"),
    (b"Range", b"bytes=0-1"),
    (b"Cookie", b"a=" + b"b" * 8_000),
    (b"Forwarded", b"for=unknown"),
    (b"X-Forwarded-For", b"not an address, 1.2.3.4"),
    (b"X-Null", b"\x80\x81"),
    (b"If-None-Match", b"*"),
    (b"Content-MD5", b"x"),
    (b"Trailer", b"X-Trailer"),
    (b"Host", b"evil.test"),
)

_COLUMNS = ("requestId", "accessToken", "templateCode", "language", "redirectUrl", "p.who", "p.ja-JP.who", "appId", "x")
_CELLS = ("", "a", '"a"', '"a', '"a""b"', '"a,b"', "😀", "\0", "=1+1", "x" * 5_000, "a\rb", '"a\nb"')


class Input(NamedTuple):
    """What is written to one connection."""

    number: int
    raw: bytes
    operation: str
    """Method and path that it was made of."""
    answers: int
    """How many answers must come; 0: perhaps one, perhaps none, as it is no whole request."""
    has_results: bool
    """Whether each answer must have a `result`."""


class Inputs:
    """Makes the inputs of a seed."""

    def __init__(self, surface: Surface, known: Mapping[str, list[Json]], seed: int, sign: Sign | None = None) -> None:
        """Keep the parts; with `sign` most requests are signed."""
        self.operations = surface.operations
        self._surface = surface
        self._known = known
        self._seed = seed
        self._sign = sign
        self._weights = [8 if operation.bodies else 1 for operation in self.operations]

    def make(self, number: int) -> Input:
        """Return one input; the same for the same seed, number and document."""
        draw = Random(f"{self._seed}:{number}")
        (operation,) = draw.choices(self.operations, self._weights)
        name, kind = f"{operation.method} {operation.path}", draw.random()
        if kind < 0.04:
            return Input(number, garbage(draw), "garbage", 0, has_results=False)
        how_many = draw.choice((2, 3, 8)) if kind < 0.08 else 1
        # The answer to HEAD can't be told from another's once several are under way.
        others = _METHODS if how_many == 1 else ()
        requests = [self._request(operation, others, draw) for _ in range(how_many)]
        raw = b"".join(raw for raw, _ in requests)
        if kind < 0.2:
            return Input(number, broken(raw, draw), f"{name}, broken", 0, has_results=False)
        has_results = operation.has_results and all(is_plain for _, is_plain in requests)
        return Input(number, raw, name, how_many, has_results)

    def _request(self, operation: Operation, others: Sequence[bytes], draw: Random) -> tuple[bytes, bool]:
        """Return a whole request, now and then by another method, and whether method and path are the operation's."""
        kind, body = self._body(operation, draw)
        method, target = operation.method.encode(), self._path(operation, body, draw).encode()
        is_plain = True
        if draw.random() < 0.1:
            target, is_plain = another_target(target, draw), False
        if others and draw.random() < 0.05:
            method, is_plain = draw.choice(others), False
        headers = self._headers(kind, body, draw) + self._signature(method, target, body, draw)
        sent, framing = framed(body, draw)
        if not operation.bodies and draw.random() < 0.7:
            sent, framing = b"", []
        lines = [method + b" " + target + b" HTTP/1.1", b"Host: api.test"]
        lines += [name + b": " + value for name, value in _spoilt(headers, draw) + framing]
        return b"\r\n".join([*lines, b"", b""]) + sent, is_plain

    def _path(self, operation: Operation, body: bytes, draw: Random) -> str:
        """Return path and query; what has to be the body's digest mostly is."""
        path, query = operation.path, []
        known = {**self._known, "sha256": [sha256(body).hexdigest()]}
        for parameter in operation.parameters:
            name, place = parameter["name"], parameter["in"]
            value = self._surface.instance(parameter.get("schema", {}), draw, known, name)
            if place == "path":
                path = path.replace(f"{{{name}}}", quoted(str(value)))
            if place == "query" and (parameter.get("required") or draw.random() < 0.7):
                odd = draw.choice(WEIRD) if draw.random() < 0.2 else value
                query.append(f"{name}={quoted(str(odd)[:4_000])}")
        return f"{path}?{'&'.join(query)}" if query else path

    def _body(self, operation: Operation, draw: Random) -> tuple[bytes, bytes]:
        """Return content type and body."""
        if not operation.bodies:
            return b"application/json", b"{}"
        kind, schema = draw.choice(sorted(operation.bodies.items()))
        if kind != "application/json":
            body = self._csv(draw) if kind == "text/csv" else self._lines(draw)
            return kind.encode(), gzipped(body, draw) if draw.random() < 0.2 else body
        value = self._surface.instance(schema, draw, self._known)
        for _ in range(draw.choice((0, 0, 0, 0, 1, 1, 2, 5))):
            value = mutated(value, draw)
        return kind.encode(), written(value, draw)

    def _lines(self, draw: Random) -> bytes:
        """Return a body of sends, one a line, or of what should be sends."""
        rows = [self._surface.instance(self._surface.row, draw, self._known) for _ in range(draw.randint(0, 20))]
        spoilt = draw.random() < 0.5
        return b"\n".join(
            written(mutated(row, draw), draw) if spoilt and draw.random() < 0.3 else json.dumps(row).encode()
            for row in rows
        )

    def _csv(self, draw: Random) -> bytes:
        """Return a body of CSV, or nearly so."""
        columns = draw.sample(_COLUMNS, draw.randint(1, len(_COLUMNS)))
        rows = [
            [
                str(draw.choice(self._known.get(column, _CELLS))) if draw.random() < 0.9 else draw.choice(_CELLS)
                for column in columns
            ]
            for _ in range(draw.randint(0, 20))
        ]
        body = "\n".join(",".join(row) for row in [columns, *rows]).encode()
        return draw.choice((cut, flipped))(body, draw) if draw.random() < 0.2 else body

    def _headers(self, kind: bytes, body: bytes, draw: Random) -> Headers:
        headers = [
            (b"Content-Type", kind if draw.random() < 0.93 else draw.choice(_TYPES)),
            (b"Client-Id", b"merchant-1" if draw.random() < 0.93 else draw.choice(_CLIENTS)),
        ]
        if body[:2] == b"\x1f\x8b" or draw.random() < 0.03:
            headers.append((b"Content-Encoding", b"gzip" if draw.random() < 0.8 else draw.choice(_ENCODINGS)))
        return headers + draw.choices(_EXTRA, k=draw.choice((0, 0, 0, 1, 3)))

    def _signature(self, method: bytes, target: bytes, body: bytes, draw: Random) -> Headers:
        if self._sign is not None and draw.random() < 0.85:
            return self._sign(method, target, body)
        if draw.random() < 0.3:
            return [(b"Request-Time", draw.choice(_TIMES)), (b"Signature", draw.choice(_SIGNATURES))]
        return []


def _spoilt(headers: Headers, draw: Random) -> Headers:
    """Return headers, now and then one of them twice, with odd bytes, or in another order."""
    if draw.random() < 0.1:
        headers = [*headers, draw.choice(headers)]
    if draw.random() < 0.02:
        name, value = headers.pop(draw.randrange(len(headers)))
        headers.append((name, value + bytes(draw.choices(range(0x80, 0x100), k=3))))
    if draw.random() < 0.1:
        draw.shuffle(headers)
    return headers
