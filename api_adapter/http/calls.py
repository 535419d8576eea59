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
from api_adapter.http.endpoint import Api, Endpoint, Operation, Reply, too_large, too_slow
from api_adapter.inquiries import refusal
from worker.contract.codes import UNKNOWN, Result, ResultCode
from worker.contract.errors import LedgerMismatchError, LedgerUnavailableError

_JSON_CHARSETS = frozenset({"", "utf-8", "utf8"})
_MIB = 1 << 20
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
        return signed(request, await _reply(endpoint.run, request, b"", request.scope["query_string"]))

    async def answer(request: Request) -> Response:
        # Also a body of another type is read: with bytes left unread the connection could not be used again.
        if not is_media_type("application/json", request.headers.get("content-type", "")):
            await _timely_body(request, endpoint.max_body)
            return signed(request, _NOT_JSON)
        return signed(request, await reply_to_post(endpoint.run, endpoint.max_body, request))

    return answer_get if endpoint.method == "GET" else answer


def signed(request: Request, reply: Reply) -> Response:
    """Return an answer with the headers that prove who gave it."""
    api: Api = request.state.api
    make = Response if isinstance(reply.content, bytes) else JsonResponse
    response = make(reply.content, reply.status)
    if reply.headers:
        response.headers.update(reply.headers)
    response.headers.update(api.answer_headers(request.method, _path(request), request.headers, bytes(response.body)))
    return response


def _path(request: Request) -> str:
    """Return path and query as they were requested: what is signed (R23, R24)."""
    query: bytes = request.scope["query_string"]
    path: bytes = request.scope["raw_path"]
    return (path + b"?" + query if query else path).decode("latin-1")


async def reply_to_post(run: Operation, most: int, request: Request) -> Reply:
    """Return what an operation answers, or why it is not called; the body may have `most` bytes."""
    body = await _timely_body(request, most)
    return await _reply(run, request, body, body) if isinstance(body, bytes) else body


async def _reply(run: Operation, request: Request, body: bytes, asked: bytes) -> Reply:
    """Return the operation's reply to what is asked, or the refusal of a caller; `body` is what was signed."""
    api: Api = request.state.api
    address = request.client.host if request.client else ""
    try:
        await api.opening.check()
        call = SignedCall(_path(request), request.headers, body, address, request.method)
        refused = await api.authentication.refusal(call)
        return Reply(refusal(refused)) if refused else await run(api, request.headers, asked)
    except (LedgerUnavailableError, LedgerMismatchError) as error:
        log.warning("ledger_not_opened", reason=str(error))
        return Reply(refusal(UNKNOWN))
    except Exception as error:  # noqa: BLE001 - whatever broke, the caller learns that nobody knows, and repeats (R31)
        # Never the error's text: it may quote what the user sent.
        log.error("request_failed", error=type(error).__name__, at=_places(error))  # noqa: TRY400 - as above
        return Reply(refusal(UNKNOWN))


def _places(error: Exception) -> list[str]:
    return [f"{frame.f_code.co_qualname}:{line}" for frame, line in walk_tb(error.__traceback__)]


def is_media_type(wanted: str, content_type: str) -> bool:
    """Return whether a Content-Type is the one that is wanted, in UTF-8 (R25)."""
    media_type, _, parameters = content_type.partition(";")
    charsets = [
        value.strip(' "').lower()
        for name, _, value in (parameter.partition("=") for parameter in parameters.split(";"))
        if name.strip().lower() == "charset"
    ]
    return media_type.strip().lower() == wanted and all(charset in _JSON_CHARSETS for charset in charsets)


async def _timely_body(request: Request, most: int) -> bytes | Reply:
    """Return the body, or the answer to one that is too large or too slow."""
    api: Api = request.state.api
    try:
        body = await _body(request, most, api.body_timeout / 1000)
    except TimeoutError:
        return too_slow(f"the body is too slow: it may take {api.body_timeout} ms, and as long again for each MiB")
    return too_large(f"the body is larger than {most} bytes") if body is None else body


async def _body(request: Request, most: int, patience: float) -> bytes | None:
    """Return the body, or None as soon as it is known to be larger than `most` bytes.

    Raises TimeoutError where it takes longer than `patience` seconds, and as long again for each MiB that came.
    """
    declared = request.headers.get("content-length", "")
    # Only ever a shortcut: what is no plain number is ignored, as the bytes are counted anyway.
    if _LENGTH.fullmatch(declared) and int(declared) > most:
        return None
    parts, size, rewarded = [], 0, 0
    begun = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(begun + patience) as limit:
            async for part in request.stream():
                size += len(part)
                if size > most:
                    return None
                parts.append(part)
                if size // _MIB > rewarded:
                    rewarded = size // _MIB
                    limit.reschedule(begun + patience * (1 + rewarded))
    except ClientDisconnect:
        return b""
    return b"".join(parts)
