"""Puts intake and inquiries on top of the services that `worker.bootstrap` gives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api_adapter.clients import Clients
from api_adapter.inquiries import Inquiries
from api_adapter.intake import Intake, IntakeLimits
from api_adapter.taking import Stores
from worker.bootstrap import Addresses, Services, hint_publisher, services
from worker.collecting import rare_collections
from worker.contract.requests import LenientSendRequest, SendRequest
from worker.ports import Hints
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Front:
    """Everything a caller can ask, and the services below."""

    intake: Intake
    inquiries: Inquiries
    services: Services


@asynccontextmanager
async def front(settings: Settings, addresses: Addresses) -> AsyncIterator[Front]:
    """Give intake and inquiries for one asyncio loop."""
    with rare_collections(), hint_publisher(addresses) as hints:
        async with services(settings, addresses) as found:
            clients = Clients(settings.clients)
            yield Front(make_intake(found, clients, hints), Inquiries(clients, found.records), found)


def make_intake(found: Services, clients: Clients, hints: Hints) -> Intake:
    """Return the intake function of a process."""
    settings = found.settings
    model = LenientSendRequest if settings.extend_info_object == "allow" else SendRequest
    stores = Stores(
        ledger=found.ledger,
        users=found.users,
        templates=found.templates,
        compiled=found.compiled,
        wallets=found.wallets,
        caps=found.caps,
        hints=hints,
        clock=found.clock,
    )
    return Intake(clients, stores, IntakeLimits(settings.shards, settings.deliver_within, model))
