"""What passes between the HTTP connection and the routes: a whole request, and the three things that may follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

from pydantic_core import to_json

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """One request, complete."""

    method: str
    target: str
    """Path with its query, as sent."""
    body: bytes
    is_last: bool
    """The connection closes after the answer."""
    fault: HTTPStatus | None = None
    """Why it can't be served at all: not HTTP, too large, or another protocol."""


class Response(NamedTuple):
    """An HTTP answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = NO_HEADERS
    delay: int = 0
    """Milliseconds to wait before it is sent."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer, ever: the connection stays open."""


@dataclass(frozen=True, slots=True)
class Reset:
    """No answer: the connection is broken with a TCP reset."""


Reply = Response | Silence | Reset


def json_response(content: object) -> Response:
    """Return an answer in JSON. Numbers may have any size, as in what callers sent; one that JSON lacks is null."""
    return Response(HTTPStatus.OK, to_json(content, inf_nan_mode="null"))


def text_response(status: HTTPStatus, text: str, headers: Mapping[str, str] = NO_HEADERS) -> Response:
    """Return an answer in plain text."""
    return Response(status, f"{text}\n".encode(), TEXT, headers)


def encode_head(response: Response, *, is_last: bool) -> bytes:
    """Return status line and headers as they go over the wire."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items()) if response.headers else ""
    closing = "Connection: close\r\n" if is_last else ""
    opening = _opening(response.status, response.content_type)
    return f"{opening}{len(response.body)}\r\n{extra}{closing}\r\n".encode()


@lru_cache
def _opening(status: HTTPStatus, content_type: str) -> str:
    return f"HTTP/1.1 {status:d} {status.phrase}\r\nContent-Type: {content_type}\r\nContent-Length: "
