"""What passes between the HTTP connection and the routes: a whole request, and the three things that may follow."""

from dataclasses import dataclass, field
from http import HTTPStatus

import orjson

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, complete."""

    method: str
    target: str
    """Path with its query, as sent."""
    body: bytes
    is_last: bool
    """The connection closes after the answer."""
    fault: HTTPStatus | None = None
    """Why it can't be served at all: not HTTP, too large, or another protocol."""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    delay: int = 0
    """Milliseconds to wait before it is sent."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer, ever: the connection stays open."""


@dataclass(frozen=True, slots=True)
class Reset:
    """No answer: the connection is broken with a TCP reset."""


Reply = Response | Silence | Reset


def json_response(content: object, status: HTTPStatus = HTTPStatus.OK, delay: int = 0) -> Response:
    """Return an answer in JSON."""
    return Response(status, orjson.dumps(content), delay=delay)


def text_response(status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in plain text."""
    return Response(status, f"{text}\n".encode(), TEXT, headers or {})


def encode_head(response: Response, *, is_last: bool) -> bytes:
    """Return status line and headers as they go over the wire."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    closing = "Connection: close\r\n" if is_last else ""
    return (
        f"HTTP/1.1 {response.status:d} {response.status.phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n{extra}{closing}\r\n"
    ).encode()
