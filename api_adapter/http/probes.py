"""What those who run the API ask it: whether it lives, whether it is ready, its figures, and its own description."""

import asyncio

import structlog
from starlette.requests import Request
from starlette.responses import Response

from api_adapter.http.calls import JsonResponse
from api_adapter.http.endpoint import Api
from api_adapter.http.openapi import openapi_document
from api_adapter.inquiries import Json
from api_adapter.metrics import render
from worker.contract.errors import LedgerMismatchError, LedgerUnavailableError
from worker.contract.findings import Finding

log = structlog.get_logger(__name__)


async def openapi(_: Request) -> Response:
    """Answer with the OpenAPI document."""
    return JsonResponse(openapi_document())


async def healthz(_: Request) -> Response:
    """Answer that the process lives."""
    return JsonResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Answer whether sends can be taken, and what the stores may lose of them; 503: the ledger is away."""
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


async def metrics(request: Request) -> Response:
    """Answer with the ledger's figures, as Prometheus reads them."""
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
