"""How every operation is called: content type, size, who calls, and the signed answer (CONTRACT R15, R25, R26, R40)."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from traceback import walk_tb

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from typing_extensions import override

from api_adapter.authentication import SignedCall
from api_adapter.http.endpoint import Api, Endpoint, Reply, too_large, too_slow
from api_adapter.inquiries import refusal
from worker.contract.codes import UNKNOWN, Result, ResultCode
from worker.contract.errors import LedgerMismatchError, LedgerUnavailableError

_JSON_CHARSETS = frozenset({"", "utf-8", "utf8"})
_LENGTH = re.compile(r"[0-9]{1,18}")

_NOT_JSON = Reply(
    refusal(
        Result.refused(ResultCode.MEDIA_TYPE_NOT_ACCEPTABLE, "header Content-Type: must be application/json in UTF-8"),
    ),
)

log = structlog.get_logger(__name__)


class JsonResponse(Response):
    """A body of JSON, written by orjson."""

    media_type = "application/json"

    @override
    def render(self, content: object) -> bytes:
        """Return the bytes."""
        return orjson.dumps(content)


def called(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers a request for the endpoint."""

    async def answer_get(request: Request) -> Response:
        return _signed(request, await _reply(endpoint, request, b"", request.scope["query_string"]))

    async def answer(request: Request) -> Response:
        # Also one of another type is read: with bytes left unread the connection could not be used again.
        body = await _timely_body(request, endpoint.max_body)
        if not _is_json(request.headers.get("content-type", "")):
            return _signed(request, _NOT_JSON)
        return _signed(request, await _reply(endpoint, request, body, body) if isinstance(body, bytes) else body)

    return answer_get if endpoint.method == "GET" else answer


def _signed(request: Request, reply: Reply) -> Response:
    """Return an answer with the headers that prove who gave it."""
    api: Api = request.state.api
    response = JsonResponse(reply.content, reply.status)
    if reply.headers:
        response.headers.update(reply.headers)
    response.headers.update(api.answer_headers(request.method, _path(request), request.headers, bytes(response.body)))
    return response


def _path(request: Request) -> str:
    """Return path and query as they were requested: what is signed (R23, R24)."""
    query: bytes = request.scope["query_string"]
    path: bytes = request.scope["raw_path"]
    return (path + b"?" + query if query else path).decode("latin-1")


async def _reply(endpoint: Endpoint, request: Request, body: bytes, asked: bytes) -> Reply:
    """Return the operation's reply to what is asked, or the refusal of a caller; `body` is what was signed."""
    api: Api = request.state.api
    address = request.client.host if request.client else ""
    try:
        await api.opening.check()
        call = SignedCall(_path(request), request.headers, body, address, request.method)
        refused = await api.authentication.refusal(call)
        return Reply(refusal(refused)) if refused else await endpoint.run(api, request.headers, asked)
    except (LedgerUnavailableError, LedgerMismatchError) as error:
        log.warning("ledger_not_opened", reason=str(error))
        return Reply(refusal(UNKNOWN))
    except Exception as error:  # noqa: BLE001 - whatever broke, the caller learns that nobody knows, and repeats (R31)
        # Never the error's text: it may quote what the user sent.
        log.error("request_failed", error=type(error).__name__, at=_places(error))  # noqa: TRY400 - as above
        return Reply(refusal(UNKNOWN))


def _places(error: Exception) -> list[str]:
    return [f"{frame.f_code.co_qualname}:{line}" for frame, line in walk_tb(error.__traceback__)]


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    charsets = [
        value.strip(' "').lower()
        for name, _, value in (parameter.partition("=") for parameter in parameters.split(";"))
        if name.strip().lower() == "charset"
    ]
    return media_type.strip().lower() == "application/json" and all(charset in _JSON_CHARSETS for charset in charsets)


async def _timely_body(request: Request, most: int) -> bytes | Reply:
    """Return the body, or the answer to one that is too large or too slow."""
    api: Api = request.state.api
    try:
        async with asyncio.timeout(api.body_timeout / 1000):
            body = await _body(request, most)
    except TimeoutError:
        return too_slow(f"the body did not arrive within {api.body_timeout} ms")
    return too_large(f"the body is larger than {most} bytes") if body is None else body


async def _body(request: Request, most: int) -> bytes | None:
    """Return the body, or None as soon as it is known to be larger than `most` bytes."""
    declared = request.headers.get("content-length", "")
    # Only ever a shortcut: what is no plain number is ignored, as the bytes are counted anyway.
    if _LENGTH.fullmatch(declared) and int(declared) > most:
        return None
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                return None
            parts.append(part)
    except ClientDisconnect:
        return b""
    return b"".join(parts)
