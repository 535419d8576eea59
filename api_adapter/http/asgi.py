"""The entry module that the HTTP server's worker process calls: reads the settings and makes the application."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette

from api_adapter.http.app import make_app
from api_adapter.http.endpoint import Api
from api_adapter.http.opening import Opening
from api_adapter.http.parenthood import ended_with_its_parent
from api_adapter.limiting import limited
from api_adapter.wiring import front, make_answer_headers
from worker.adapters.telemetry.logs import configure_logs
from worker.bootstrap import Services, durability, stores
from worker.clock import SystemClock
from worker.contract.clients import RegisteredClient
from worker.contract.errors import LedgerUnavailableError
from worker.examining import log_durability
from worker.settings import read_settings

log = structlog.get_logger(__name__)


def application() -> Starlette:
    """Return the application of this process, as the settings say."""
    settings = read_settings()
    configure_logs(settings.log_format, settings.log_level)
    answer_headers = make_answer_headers(settings, SystemClock())

    @asynccontextmanager
    async def opened() -> AsyncIterator[Api]:
        with ended_with_its_parent(), stores(settings) as addresses:
            async with front(settings, addresses, limited(settings.app_rates)) as found:
                opening = Opening(found.services.ledger.open)
                await _open(opening)
                await _say_what_is_not_checked(found.services)
                examined = durability(found.services, addresses)
                await log_durability(examined)
                yield Api(
                    authentication=found.authentication,
                    answer_headers=answer_headers,
                    intake=found.intake,
                    batch_sending=found.batch_sending,
                    batches=found.batches,
                    uploads=found.uploads,
                    inquiries=found.inquiries,
                    linter=found.linter,
                    template_inquiries=found.template_inquiries,
                    origins=found.origins,
                    records=found.services.records,
                    figures=found.services.figures,
                    opening=opening,
                    durability=examined,
                    body_timeout=settings.body_timeout,
                )

    return make_app(opened, settings.api_prefix)


async def _open(opening: Opening) -> None:
    try:
        await opening.check()
    except LedgerUnavailableError as error:
        # The API answers U and /readyz 503 until the store is there: better than a server that never starts.
        log.warning("ledger_unavailable_at_start", reason=str(error))


async def _say_what_is_not_checked(found: Services) -> None:
    settings = found.settings
    if settings.signatures == "off":
        advice = "set TIDINGS_SIGNATURES=required, or keep the API private"
        log.warning("requests_are_not_signed", caller="whoever the Client-Id header names", advice=advice)
        if not settings.clients and not await _registered(found):
            log.warning("any_client_may_send_for_any_app", advice="register clients with tidings client add")
    elif not settings.signing_key_file:
        log.warning("answers_are_not_signed", advice="set TIDINGS_SIGNING_KEY_FILE: official SDKs refuse such answers")


async def _registered(found: Services) -> Mapping[str, RegisteredClient]:
    try:
        return await found.clients.all()
    except LedgerUnavailableError:
        return {}
