"""Each thing that has to be in order before messages are taken and delivered, looked at by itself.

A check returns what is wrong, or one finding that says what is right. None raises for what it looks at.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from api_adapter.doctor.batches import batch_findings
from api_adapter.doctor.callbacks import callback_findings
from api_adapter.doctor.urls import masked
from api_adapter.waiting_origins import waiting_origins
from worker.bootstrap import Addresses, Services, durability, gateway_finding, introspection_finding
from worker.contract.batch_jobs import JobState
from worker.contract.errors import (
    BrokerUnavailableError,
    LedgerMismatchError,
    LedgerUnavailableError,
    SettingsError,
    TidingsError,
)
from worker.contract.findings import Finding, Severity
from worker.contract.moments import moment_text
from worker.contract.users import GatewayRoute, Wallet
from worker.hinting import broker_presence
from worker.local_secrets import token_secret
from worker.settings import Settings

OK, WARNING, ERROR = Severity.OK, Severity.WARNING, Severity.ERROR


@dataclass(frozen=True, slots=True)
class Checked:
    """One check and what it found."""

    name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    settings: Settings
    addresses: Addresses
    services: Services


async def examine(patient: Patient) -> list[Checked]:
    """Look at everything; what needs a ledger that is away is left out."""
    checked = [_build(), _settings(patient)]
    if patient.settings.introspection_url:
        checked.append(await _guarded("introspection", _introspection, patient))
    checked.append(await _guarded("ledger", _ledger, patient))
    needs_ledger = [
        ("durability", _durability),
        ("templates", _templates),
        ("wallets", _wallets),
        ("pauses", _pauses),
        ("batches", _batches),
        ("callbacks", _callbacks),
    ]
    if not _failed(checked[-1]):
        checked += [await _guarded(name, check, patient) for name, check in needs_ledger]
        checked.append(await _guarded("gateways", _gateways, patient))
    checked.append(await _guarded("broker", _broker, patient))
    if not _failed(checked[-1]):
        checked.append(await _guarded("workers", _workers, patient))
    return checked


def _failed(checked: Checked) -> bool:
    return any(finding.severity is ERROR for finding in checked.findings)


async def _guarded(name: str, check: Callable[[Patient], Awaitable[Sequence[Finding]]], patient: Patient) -> Checked:
    try:
        findings = await check(patient)
    except (LedgerUnavailableError, LedgerMismatchError, BrokerUnavailableError, SettingsError) as error:
        what, _, advice = str(error).partition("; ")
        findings = [Finding(ERROR, what, advice)]
    return Checked(name, tuple(findings))


def _build() -> Checked:
    origin = (spec := find_spec("worker.delivery")) and spec.origin
    built = "runs as Python source" if origin and origin.endswith(".py") else "its hot path is compiled"
    return Checked("build", (Finding(OK, f"tidings {version('tidings')}, {built}"),))


def _settings(patient: Patient) -> Checked:
    ledger, broker = masked(patient.addresses.redis_url), masked(patient.addresses.broker_url)
    try:
        if not patient.settings.introspection_url:
            token_secret(patient.settings)
    except TidingsError as error:
        what, _, advice = str(error).partition("; ")
        return Checked("settings", (Finding(WARNING, f"the API and `tidings token` won't start: {what}", advice),))
    return Checked("settings", (Finding(OK, f"readable; ledger {ledger}, broker {broker}"),))


async def _ledger(patient: Patient) -> list[Finding]:
    await patient.services.ledger.open()
    return [Finding(OK, f"answers, and fits the settings: {patient.settings.shards} shards")]


async def _durability(patient: Patient) -> list[Finding]:
    found = await durability(patient.services, patient.addresses).findings()
    return found or [Finding(OK, "nothing is evicted, and what is taken is written to disk")]


async def _templates(patient: Patient) -> list[Finding]:
    live = await patient.services.templates.list()
    if not live:
        return [Finding(WARNING, "there is none, so every send is refused", "see tidings template put --help")]
    return [Finding(OK, f"{len(live)} live")]


async def _wallets(patient: Patient) -> list[Finding]:
    wallets = await patient.services.wallets.all()
    if not wallets:
        return [Finding(WARNING, "there is none, so no user can be reached", "see tidings wallet put --help")]
    return [Finding(OK, f"{len(wallets)} known")]


async def _pauses(patient: Patient) -> list[Finding]:
    services = patient.services
    waiting = await waiting_origins(await services.pauses.paused(), services.batch_jobs)
    batches = Counter(one.state for one in waiting if one.origin.batch_id)
    held, paused = batches[JobState.HELD], batches[JobState.PAUSED]
    return [
        Finding(
            WARNING,
            f"{one.origin.app_id} is paused since {moment_text(one.since)}",
            f"if nobody wants that any more: tidings merchant resume {one.origin.app_id}",
        )
        for one in waiting
        if not one.origin.batch_id
    ] or [Finding(OK, f"no merchant is paused; batches: {held} held until they are run, {paused} paused")]


async def _batches(patient: Patient) -> list[Finding]:
    return await batch_findings(patient.services.batch_jobs)


async def _callbacks(patient: Patient) -> list[Finding]:
    try:
        return await callback_findings(patient.services)
    except SettingsError as error:
        what, _, advice = str(error).partition("; ")
        return [Finding(ERROR, f"nobody is called back: {what}", advice)]


async def _gateways(patient: Patient) -> list[Finding]:
    routes = _routes(await patient.services.wallets.all())
    return list(await asyncio.gather(*map(gateway_finding, routes)))


def _routes(wallets: Mapping[str, Wallet]) -> list[GatewayRoute]:
    by_url = {route.url: route for wallet in wallets.values() for route in wallet.gateways}
    return sorted(by_url.values(), key=lambda route: route.name)


async def _introspection(patient: Patient) -> list[Finding]:
    return [await introspection_finding(patient.settings)]


async def _broker(patient: Patient) -> list[Finding]:
    await asyncio.to_thread(broker_presence(patient.addresses).reach)
    found = await durability(patient.services, patient.addresses).broker_findings()
    return found or [Finding(OK, "answers")]


async def _workers(patient: Patient) -> list[Finding]:
    names = await asyncio.to_thread(broker_presence(patient.addresses).workers)
    if not names:
        return [Finding(ERROR, "none answers, so nothing is delivered", "start one: tidings worker")]
    return [Finding(OK, f"{len(names)} alive: {', '.join(names)}")]
