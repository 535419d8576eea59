"""The entry module that the HTTP server's worker process calls: reads the settings and makes the application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette

from api_adapter.http.app import Api, make_app
from api_adapter.http.opening import Opening
from api_adapter.wiring import front
from worker.adapters.telemetry.logs import configure_logs
from worker.bootstrap import durability, stores
from worker.contract.errors import LedgerUnavailableError
from worker.examining import log_durability
from worker.settings import Settings, read_settings

log = structlog.get_logger(__name__)


def application() -> Starlette:
    """Return the application of this process, as the settings say."""
    settings = read_settings()
    configure_logs(settings.log_format, settings.log_level)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Api]:
        with stores(settings) as addresses:
            async with front(settings, addresses) as found:
                opening = Opening(found.services.ledger.open)
                await _open(opening)
                _say_what_is_not_checked(settings)
                examined = durability(found.services, addresses)
                await log_durability(examined)
                yield Api(
                    found.intake, found.inquiries, found.services.records, found.services.figures, opening, examined
                )

    return make_app(opened, settings.api_prefix)


async def _open(opening: Opening) -> None:
    try:
        await opening.check()
    except LedgerUnavailableError as error:
        # The API answers U and /readyz 503 until the store is there: better than a server that never starts.
        log.warning("ledger_unavailable_at_start", reason=str(error))


def _say_what_is_not_checked(settings: Settings) -> None:
    log.warning("requests_are_not_signed", caller="whoever the Client-Id header names", advice="keep the API private")
    if not settings.clients:
        log.warning("any_client_may_send_for_any_app", advice="set TIDINGS_CLIENTS to bind clients to appIds")
