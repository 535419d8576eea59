"""The HTTP application: paths, limits and content types; everything else is intake's (CONTRACT R15, R25, R40)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

import orjson
import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from typing_extensions import override

from api_adapter.answer_signatures import AnswerHeaders
from api_adapter.authentication import Authentication, SignedCall
from api_adapter.http.openapi import openapi_document
from api_adapter.http.opening import Opening
from api_adapter.inquiries import Inquiries, Json, refusal, result_json
from api_adapter.intake import MAX_BODY, Intake
from api_adapter.metrics import render
from api_adapter.taking import SendResult
from worker.contract.codes import UNKNOWN, Result, ResultCode
from worker.contract.errors import LedgerMismatchError, LedgerUnavailableError
from worker.contract.findings import Finding
from worker.ports import Durability, Figures, Records

SEND = "/v2/miniprogram/message/send"
INQUIRY = "/v2/miniprogram/message/inquiry"
BATCH_INQUIRY = "/v2/miniprogram/message/batchInquiry"
MAX_INQUIRY_BODY = 1024 * 1024
"""Bytes of a look-up (R15)."""
_JSON_CHARSETS = frozenset({"", "utf-8", "utf8"})
_LENGTH = re.compile(r"[0-9]{1,18}")

_NO_API = refusal(Result.refused(ResultCode.INVALID_API, "no API has this path; see /openapi.json"))
_WRONG_METHOD = refusal(
    Result.refused(ResultCode.METHOD_NOT_SUPPORTED, "this path is called with another method; see /openapi.json"),
)
_NOT_JSON = refusal(
    Result.refused(ResultCode.MEDIA_TYPE_NOT_ACCEPTABLE, "header Content-Type: must be application/json in UTF-8"),
)


log = structlog.get_logger(__name__)


class JsonResponse(Response):
    """A body of JSON, written by orjson."""

    media_type = "application/json"

    @override
    def render(self, content: object) -> bytes:
        """Return the bytes."""
        return orjson.dumps(content)


@dataclass(frozen=True, slots=True)
class Api:
    """What the routes call; made when the server starts."""

    authentication: Authentication
    answer_headers: AnswerHeaders
    intake: Intake
    inquiries: Inquiries
    records: Records
    figures: Figures
    opening: Opening
    durability: Durability


Opened = Callable[[], AbstractAsyncContextManager[Api]]
Operation = Callable[[Api, Mapping[str, str], bytes], Awaitable[Json]]


def make_app(opened: Opened, prefix: str) -> Starlette:
    """Return the application; `opened` gives the Api for as long as the server runs, `prefix` is a second root."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with opened() as api:
            yield {"api": api}

    app = Starlette(
        # Metrics tell of all merchants, so they are not where callers are let in.
        routes=[*_routes(""), *(_routes(prefix) if prefix else []), Route("/metrics", _metrics)],
        lifespan=lifespan,
        exception_handlers={404: _not_found, 405: _wrong_method},
    )
    # A path with a slash too many is an unknown one: the callers' SDKs follow no redirect.
    app.router.redirect_slashes = False
    return app


def _routes(prefix: str) -> list[BaseRoute]:
    return [
        Route(prefix + SEND, _operation(_send, MAX_BODY), methods=["POST"]),
        Route(prefix + INQUIRY, _operation(_inquiry, MAX_INQUIRY_BODY), methods=["POST"]),
        Route(prefix + BATCH_INQUIRY, _operation(_batch_inquiry, MAX_INQUIRY_BODY), methods=["POST"]),
        Route(prefix + "/openapi.json", _openapi),
        Route(prefix + "/healthz", _healthz),
        Route(prefix + "/readyz", _readyz),
    ]


def _operation(operation: Operation, max_body: int) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not _is_json(request.headers.get("content-type", "")):
            return _signed(request, _NOT_JSON)
        body = await _body(request, max_body)
        if body is None:
            text = f"the body is larger than {max_body} bytes"
            return _signed(request, refusal(Result.refused(ResultCode.PARAM_ILLEGAL, text)), 413)
        return _signed(request, await _answer(operation, request, body))

    return endpoint


def _signed(request: Request, content: Json, status: int = 200) -> Response:
    """Return an answer with the headers that prove who gave it."""
    api: Api = request.state.api
    response = JsonResponse(content, status)
    response.headers.update(api.answer_headers(_path(request), request.headers, bytes(response.body)))
    return response


def _path(request: Request) -> str:
    """Return path and query as they were requested: what is signed (R23, R24)."""
    query: bytes = request.scope["query_string"]
    path: bytes = request.scope["raw_path"]
    return (path + b"?" + query if query else path).decode("latin-1")


async def _answer(operation: Operation, request: Request, body: bytes) -> Json:
    api: Api = request.state.api
    address = request.client.host if request.client else ""
    try:
        await api.opening.check()
        refused = await api.authentication.refusal(SignedCall(_path(request), request.headers, body, address))
        return refusal(refused) if refused else await operation(api, request.headers, body)
    except (LedgerUnavailableError, LedgerMismatchError) as error:
        log.warning("ledger_not_opened", reason=str(error))
        return refusal(UNKNOWN)
    except Exception as error:  # noqa: BLE001 - whatever broke, the caller learns that nobody knows, and repeats (R31)
        # Never the error's text: it may quote what the user sent.
        log.error("request_failed", error=type(error).__name__, at=_places(error))  # noqa: TRY400 - as above
        return refusal(UNKNOWN)


def _places(error: Exception) -> list[str]:
    return [f"{frame.f_code.co_qualname}:{line}" for frame, line in walk_tb(error.__traceback__)]


async def _send(api: Api, headers: Mapping[str, str], body: bytes) -> Json:
    return send_json(await api.intake.take_one(headers, body))


async def _inquiry(api: Api, headers: Mapping[str, str], body: bytes) -> Json:
    return await api.inquiries.one(headers, body)


async def _batch_inquiry(api: Api, headers: Mapping[str, str], body: bytes) -> Json:
    return await api.inquiries.many(headers, body)


def send_json(answer: SendResult) -> Json:
    """Return the body of a send's answer; the lint goes into extendInfo, a string of JSON."""
    body: Json = {"result": result_json(answer.result)}
    if answer.message_id is not None:
        body["messageId"] = answer.message_id
    if answer.remarks:
        body["extendInfo"] = orjson.dumps({"lint": answer.remarks}).decode()
    return body


def _is_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    charsets = [
        value.strip(' "').lower()
        for name, _, value in (parameter.partition("=") for parameter in parameters.split(";"))
        if name.strip().lower() == "charset"
    ]
    return media_type.strip().lower() == "application/json" and all(charset in _JSON_CHARSETS for charset in charsets)


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


async def _openapi(_: Request) -> Response:
    return JsonResponse(openapi_document())


async def _healthz(_: Request) -> Response:
    return JsonResponse({"status": "ok"})


async def _readyz(request: Request) -> Response:
    api: Api = request.state.api
    try:
        await api.opening.check()
        await api.records.ping()
        ledger = await api.durability.findings()
    except (LedgerUnavailableError, LedgerMismatchError) as error:
        return JsonResponse({"status": "unavailable", "ledger": str(error)}, status_code=503)
    broker = await api.durability.broker_findings()
    warnings = [_warning("ledger", finding) for finding in ledger] + [_warning("broker", finding) for finding in broker]
    return JsonResponse({"status": "ready", "warnings": warnings})


def _warning(store: str, finding: Finding) -> Json:
    return {"store": store, "severity": finding.severity, "what": finding.what, "advice": finding.advice}


async def _metrics(request: Request) -> Response:
    api: Api = request.state.api
    try:
        await api.opening.check()
        figures = await api.figures.read()
    except (LedgerUnavailableError, LedgerMismatchError) as error:
        log.warning("metrics_without_ledger", reason=str(error))
        figures = None
    # In a thread: a thousand merchants are some 60 ms of text, and sends must not wait for it.
    text, content_type = await asyncio.to_thread(render, figures, request.headers.get("accept", ""))
    return Response(text, headers={"content-type": content_type})


async def _not_found(_: Request, __: Exception) -> Response:
    return JsonResponse(_NO_API, status_code=404)


async def _wrong_method(_: Request, __: Exception) -> Response:
    return JsonResponse(_WRONG_METHOD)
