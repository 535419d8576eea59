"""Puts intake and inquiries on top of the services that `worker.bootstrap` gives."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from api_adapter.answer_signatures import AnswerHeaders, SignedAnswers, unsigned
from api_adapter.authentication import Authentication, SignatureCheck, believe
from api_adapter.batch_jobs import BatchDesk
from api_adapter.batch_sending import BatchSending
from api_adapter.batch_uploading import PartUploads
from api_adapter.clients import Clients
from api_adapter.inquiries import Inquiries
from api_adapter.intake import Intake, IntakeLimits
from api_adapter.judging import TimeLimits
from api_adapter.limiting import LimitsOf, unlimited
from api_adapter.linter import Linter
from api_adapter.origin_pauses import OriginPauses
from api_adapter.origins import Origins
from api_adapter.reading import Reader
from api_adapter.taking import Sources, Stores
from api_adapter.template_inquiries import TemplateInquiries
from worker.bootstrap import Addresses, Services, services, token_resolver
from worker.collecting import rare_collections
from worker.contract.errors import SettingsError
from worker.contract.send_request import LenientSendRequest, SendRequest
from worker.hinting import hint_publisher
from worker.ports import Clock, Hints
from worker.registry_ports import Users
from worker.settings import PREFIX, Settings
from worker.signatures import Signer, UnusableKeyError


@dataclass(frozen=True, slots=True)
class Front:
    """Everything a caller can ask, and the services below."""

    clients: Clients
    authentication: Authentication
    intake: Intake
    batch_sending: BatchSending
    batches: BatchDesk
    uploads: PartUploads
    inquiries: Inquiries
    origins: Origins
    linter: Linter
    template_inquiries: TemplateInquiries
    services: Services


@asynccontextmanager
async def front(settings: Settings, addresses: Addresses, rate_limits: LimitsOf = unlimited) -> AsyncIterator[Front]:
    """Give intake and inquiries for one asyncio loop; only merchants have rate limits, the operator has none."""
    with rare_collections(), hint_publisher(addresses) as hints:
        async with services(settings, addresses) as found, token_resolver(found) as users:
            clients = make_clients(found)
            intake = make_intake(found, clients, users, hints, rate_limits)
            yield Front(
                clients=clients,
                authentication=make_authentication(found, clients),
                intake=intake,
                batch_sending=BatchSending(intake, found.batches),
                batches=make_batch_desk(found, clients),
                uploads=PartUploads(intake, found.batch_jobs, found.batches),
                inquiries=Inquiries(clients, found.records),
                origins=Origins.of(clients, make_origin_pauses(found), found.cancellations),
                linter=make_linter(found, clients, users, rate_limits),
                template_inquiries=TemplateInquiries(found.templates, found.compiled),
                services=found,
            )


def make_clients(found: Services) -> Clients:
    """Return who may call: registered clients, and beside them those of the settings unless requests are signed."""
    settings = found.settings
    return Clients(found.clients, None if settings.signatures == "required" else settings.clients)


def make_origin_pauses(found: Services) -> OriginPauses:
    """Return what pauses and resumes merchants and batches."""
    return OriginPauses(found.batch_jobs, found.pauses, found.batch_keeper)


def make_batch_desk(found: Services, clients: Clients) -> BatchDesk:
    """Return what answers for batch jobs."""
    return BatchDesk(
        clients=clients,
        jobs=found.batch_jobs,
        batches=found.batches,
        records=found.records,
        keeper=found.batch_keeper,
        clock=found.clock,
    )


def make_authentication(found: Services, clients: Clients) -> Authentication:
    """Return what lets requests in."""
    settings = found.settings
    if settings.signatures == "off":
        return Authentication(clients, believe)
    return Authentication(clients, SignatureCheck(found.clock, settings.request_skew))


def make_answer_headers(settings: Settings, clock: Clock) -> AnswerHeaders:
    """Return what signs answers, if the settings name a key; raise SettingsError for one that can't be used."""
    if not settings.signing_key_file:
        return unsigned
    try:
        pem = Path(settings.signing_key_file).read_bytes()
        return SignedAnswers(Signer(pem, settings.signing_key_version), clock)
    except (OSError, UnusableKeyError) as error:
        reason = f"can't be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{PREFIX}SIGNING_KEY_FILE: {reason}") from None


def make_intake(
    found: Services, clients: Clients, users: Users, hints: Hints, rate_limits: LimitsOf = unlimited
) -> Intake:
    """Return the intake function of a process."""
    settings = found.settings
    limits = IntakeLimits(settings.shards, settings.deliver_within, _request_model(settings))
    stores = Stores(
        ledger=found.ledger,
        users=users,
        templates=found.templates,
        compiled=found.compiled,
        wallets=found.wallets,
        caps=found.caps,
        rates=found.rates,
        clock=found.clock,
        times=TimeLimits(found.settings.schedule_ahead, found.settings.deliver_within),
        callbacks=found.callbacks,
        hints=hints,
    )
    return Intake(clients, stores, limits, rate_limits)


def make_linter(found: Services, clients: Clients, users: Users, rate_limits: LimitsOf = unlimited) -> Linter:
    """Return what lints sends."""
    sources = Sources(
        ledger=found.ledger,
        users=users,
        templates=found.templates,
        compiled=found.compiled,
        wallets=found.wallets,
        caps=found.caps,
        rates=found.rates,
        clock=found.clock,
        times=TimeLimits(found.settings.schedule_ahead, found.settings.deliver_within),
    )
    return Linter(clients, sources, Reader(_request_model(found.settings), rate_limits))


def _request_model(settings: Settings) -> type[SendRequest]:
    return LenientSendRequest if settings.extend_info_object == "allow" else SendRequest
