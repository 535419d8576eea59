"""The HTTP application: its paths and what each answers (CONTRACT R24, R40)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from api_adapter.http.batch_parts import uploaded
from api_adapter.http.calls import JsonResponse, called
from api_adapter.http.endpoint import Api
from api_adapter.http.endpoints import ENDPOINTS
from api_adapter.http.probes import healthz, metrics, openapi, readyz
from api_adapter.http.sending import SENDING
from api_adapter.inquiries import refusal
from api_adapter.paths import PARTS
from worker.contract.codes import Result, ResultCode

_NO_API = refusal(Result.refused(ResultCode.INVALID_API, "no API has this path; see /openapi.json"))
_WRONG_METHOD = refusal(
    Result.refused(ResultCode.METHOD_NOT_SUPPORTED, "this path is called with another method; see /openapi.json"),
)

Opened = Callable[[], AbstractAsyncContextManager[Api]]


_Answers: TypeAlias = Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]]


class _App(Starlette):
    """An application in which some calls go past what Starlette puts around each.

    Their operations say themselves what broke, and their paths have no parameters. What breaks outside of the operation
    is the server's to answer, with HTTP 500, as it is for all others.
    """

    def __init__(self, answers: _Answers, **options: Any) -> None:  # noqa: ANN401 - Starlette's own
        """Take what answers a method and path, and what Starlette takes."""
        super().__init__(**options)
        self._answers = answers

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._answers.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if answer is None:
            await super().__call__(scope, receive, send)
        else:
            response = await answer(Request(scope, receive, send))
            await response(scope, receive, send)


def make_app(opened: Opened, prefix: str) -> Starlette:
    """Return the application; `opened` gives the Api for as long as the server runs, `prefix` is a second root."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with opened() as api:
            yield {"api": api}

    sending = called(SENDING)
    app = _App(
        {("POST", root + SENDING.path): sending for root in ("", prefix)},
        # Metrics tell of all merchants, so they are not where callers are let in.
        routes=[*_routes(""), *(_routes(prefix) if prefix else []), Route("/metrics", metrics)],
        lifespan=lifespan,
        exception_handlers={404: _not_found, 405: _wrong_method},
    )
    # A path with a slash too many is an unknown one: the callers' SDKs follow no redirect.
    app.router.redirect_slashes = False
    return app


def _routes(prefix: str) -> list[BaseRoute]:
    return [
        *(Route(prefix + endpoint.path, called(endpoint), methods=[endpoint.method]) for endpoint in ENDPOINTS),
        Route(prefix + PARTS, uploaded, methods=["POST"]),
        Route(prefix + "/openapi.json", openapi),
        Route(prefix + "/healthz", healthz),
        Route(prefix + "/readyz", readyz),
    ]


async def _not_found(_: Request, __: Exception) -> Response:
    return JsonResponse(_NO_API, status_code=404)


async def _wrong_method(_: Request, __: Exception) -> Response:
    return JsonResponse(_WRONG_METHOD)
