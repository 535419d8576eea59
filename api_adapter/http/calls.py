"""How every operation is called: content type, size, who calls, and the signed answer (CONTRACT R15, R25, R26, R40)."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from traceback import walk_tb
from typing import TypeVar

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from api_adapter.authentication import SignedCall
from api_adapter.http.bodies import Pace, timely_body, usual_pace
from api_adapter.http.endpoint import Api, Endpoint, Operation, Reply
from api_adapter.inquiries import refusal
from worker.contract.codes import UNKNOWN, Result, ResultCode
from worker.contract.errors import LedgerMismatchError, LedgerUnavailableError

_JSON_CHARSETS = frozenset({"", "utf-8", "utf8"})

_NOT_JSON = Reply(
    refusal(
        Result.refused(ResultCode.MEDIA_TYPE_NOT_ACCEPTABLE, "header Content-Type: must be application/json in UTF-8"),
    ),
)

Replied = TypeVar("Replied", Reply, Reply | None)

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
            await timely_body(request, endpoint.max_body, _pace(request))
            return signed(request, _NOT_JSON)
        return signed(request, await reply_to_post(endpoint.run, endpoint.max_body, request, _pace(request)))

    return answer_get if endpoint.method == "GET" else answer


def signed(request: Request, reply: Reply) -> Response:
    """Return an answer with the headers that prove who gave it."""
    api: Api = request.state.api
    content = reply.content
    body, media_type = (
        (content, None) if isinstance(content, bytes) else (orjson.dumps(content), JsonResponse.media_type)
    )
    # Response would look through all its headers for each one that is added later.
    headers = {**reply.headers, **api.answer_headers(request.method, _path(request), request.headers, body)}
    return Response(body, reply.status, headers, media_type)


def _path(request: Request) -> str:
    """Return path and query as they were requested: what is signed (R23, R24)."""
    query: bytes = request.scope["query_string"]
    path: bytes = request.scope["raw_path"]
    return (path + b"?" + query if query else path).decode("latin-1")


def _pace(request: Request) -> Pace:
    api: Api = request.state.api
    return usual_pace(api.body_timeout)


async def reply_to_post(run: Operation, most: int, request: Request, pace: Pace) -> Reply:
    """Return what an operation answers, or why it is not called; the body may have `most` bytes."""
    body = await timely_body(request, most, pace)
    return await _reply(run, request, body, body) if isinstance(body, bytes) else body


async def reply_before_body(request: Request) -> Reply | None:
    """Return the refusal of a request that no body could make right, or None."""

    async def refused() -> Reply | None:
        api: Api = request.state.api
        found = await api.authentication.refusal_before_body(_signed_call(request, b""))
        return Reply(refusal(found)) if found else None

    return await _guarded(request, refused)


async def _reply(run: Operation, request: Request, body: bytes, asked: bytes) -> Reply:
    """Return the operation's reply to what is asked, or the refusal of a caller; `body` is what was signed."""

    async def answered() -> Reply:
        api: Api = request.state.api
        refused = await api.authentication.refusal(_signed_call(request, body))
        return Reply(refusal(refused)) if refused else await run(api, request.headers, asked)

    return await _guarded(request, answered)


def _signed_call(request: Request, body: bytes) -> SignedCall:
    address = request.client.host if request.client else ""
    return SignedCall(_path(request), request.headers, body, address, request.method)


async def _guarded(request: Request, answer: Callable[[], Awaitable[Replied]]) -> Replied | Reply:
    """Return what answers once the ledger is open; U where nobody can say."""
    api: Api = request.state.api
    try:
        await api.opening.check()
        return await answer()
    except (LedgerUnavailableError, LedgerMismatchError) as error:
        log.warning("ledger_not_opened", reason=str(error))
        return Reply(refusal(UNKNOWN))
    except Exception as error:  # noqa: BLE001 - whatever broke, the caller learns that nobody knows, and repeats (R31)
        # Never the error's text: it may quote what the user sent.
        log.error("request_failed", error=type(error).__name__, at=_places(error))  # noqa: TRY400 - as above
        return Reply(refusal(UNKNOWN))


def _places(error: Exception) -> list[str]:
    return [f"{frame.f_code.co_qualname}:{line}" for frame, line in walk_tb(error.__traceback__)]


@lru_cache(64)
def is_media_type(wanted: str, content_type: str) -> bool:
    """Return whether a Content-Type is the one that is wanted, in UTF-8 (R25)."""
    media_type, _, parameters = content_type.partition(";")
    charsets = [
        value.strip(' "').lower()
        for name, _, value in (parameter.partition("=") for parameter in parameters.split(";"))
        if name.strip().lower() == "charset"
    ]
    return media_type.strip().lower() == wanted and all(charset in _JSON_CHARSETS for charset in charsets)
