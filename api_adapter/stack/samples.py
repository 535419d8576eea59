"""What a new data directory is given to try things with: templates, a wallet at the simulator, users and tokens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from api_adapter import samples
from api_adapter.doctor.urls import masked
from api_adapter.template_files import read_templates
from worker.bootstrap import Services
from worker.contract.messages import Channel
from worker.contract.templates import TemplateDefinition
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet

APP_ID = "sandbox-app"
CLIENT_ID = "sandbox"
WALLET = "SANDBOX"

Simulates = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class SampleUser:
    """A user of the sandbox, and what a send to them shows."""

    token: str
    user: User
    shows: str


def _user(name: str, shows: str, languages: tuple[str, ...], *opted_out: Channel) -> SampleUser:
    customer = name if name.startswith("sim-") else f"sandbox-{name}"
    user = User(customer, WALLET, languages, frozenset(opted_out))
    return SampleUser(f"token-{name.rpartition('-')[2]}", user, shows)


USERS = (
    _user("ann", "reads English", ("en-US",)),
    _user("xiaoming", "reads Chinese", ("zh-CN", "en")),
    _user("yuki", "reads Japanese, opted out of PUSH", ("ja-JP",), Channel.PUSH),
    _user("sim-retry-2-bob", "the wallet asks to try again, twice", ("en-US",)),
    _user("sim-fail-eve", "the wallet does not know this user: F", ("en-US",)),
    _user("sim-act-hang-1-zoe", "the wallet shows it and never answers, once", ("en-US",)),
)


async def register(services: Services, marker: Path, gateway_url: str, simulates: Simulates) -> list[str]:
    """Register the samples at the first start, and nothing that is there; later see that wallets find the simulator.

    Where a simulator answers at the address of before, somebody runs it beside this stack, with workers perhaps that
    use the same wallets: nothing is changed then, so that nothing has to be put back, however this stack ends.

    Args:
        services: the stores.
        marker: file that remembers between starts where the wallets find the simulator; absent before the first.
        gateway_url: where the simulator is now.
        simulates: tells whether a simulator answers at a URL.

    Returns lines that tell of wallets that were moved, or that find another gateway than this simulator.

    """
    before = _recalled(marker)
    moved: list[str] = []
    if before is None:
        await put_templates(services)
        await _put_users(services)
        await _put_wallet(services, gateway_url)
    elif before != gateway_url:
        if await simulates(before):
            return [f"A gateway simulator runs at {before} already, and wallets stay there.", *_changing(gateway_url)]
        moved = await _follow(services, before, gateway_url)
    _remember(marker, gateway_url)
    return [
        *(f"Wallet {name} is at {gateway_url} now: nobody answered at {before}." for name in moved),
        *await _elsewhere(services, gateway_url),
    ]


async def _elsewhere(services: Services, gateway_url: str) -> list[str]:
    wallet = (await services.wallets.all()).get(WALLET)
    if wallet is None or any(gateway.url == gateway_url for gateway in wallet.gateways):
        return []
    found = ", ".join(masked(gateway.url) for gateway in wallet.gateways)
    return [f"Wallet {WALLET} is at {found}, and stays there.", *_changing(gateway_url)]


def _changing(gateway_url: str) -> list[str]:
    return ["To see deliveries at this simulator:", f"  tidings wallet put {WALLET} --gateway simulator={gateway_url}"]


def _recalled(marker: Path) -> str | None:
    return marker.read_text().strip() if marker.exists() else None


def _remember(marker: Path, gateway_url: str) -> None:
    marker.write_text(f"{gateway_url}\n")


def templates() -> tuple[TemplateDefinition, ...]:
    """Return the sample templates."""
    files = sorted((Path(samples.__file__).parent / "templates").glob("*.yaml"))
    return tuple(definition for file in files for definition in read_templates(file))


async def put_templates(services: Services) -> None:
    """Make the sample templates live, but for codes that exist."""
    definitions = templates()
    known = await services.templates.live([definition.code for definition in definitions])
    for definition in definitions:
        if definition.code not in known:
            await services.templates.put(definition)


async def _put_users(services: Services) -> None:
    known = await services.users.resolve([sample.token for sample in USERS])
    grants = [
        (sample.token, TokenGrant(sample.user, APP_ID, frozenset({SEND_SCOPE}), None))
        for sample, grant in zip(USERS, known, strict=True)
        if grant is None
    ]
    await services.users.put(grants)


async def _put_wallet(services: Services, gateway_url: str) -> None:
    if WALLET not in await services.wallets.all():
        await services.wallets.put(Wallet(WALLET, (GatewayRoute("simulator", gateway_url),)))


async def _follow(services: Services, before: str, now: str) -> list[str]:
    """Point every gateway that stood at the simulator's old address to the new one; return the wallets' names."""
    moved = []
    for wallet in (await services.wallets.all()).values():
        gateways = tuple(replace(gateway, url=now) if gateway.url == before else gateway for gateway in wallet.gateways)
        if gateways != wallet.gateways:
            await services.wallets.put(replace(wallet, gateways=gateways))
            moved.append(wallet.name)
    return sorted(moved)
