"""`tidings wallet`: put and list the super apps, their gateways with their breakers, and their caps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

import typer
from pydantic import TypeAdapter, ValidationError

from api_adapter.cli import wallet_removal
from api_adapter.cli.arguments import GATEWAY, ArgumentError, cap, gateway
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, elapsed, period, print_json, utc
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.tables import show_table
from worker.contract.field_types import Id64
from worker.contract.gateways import BreakerState, OpenedBreaker
from worker.contract.messages import Channel
from worker.contract.users import GatewayRoute, SendCap, Wallet

app = typer.Typer(help="Put, list and remove wallets: their gateways and caps.", no_args_is_help=True)

_YES_OR_NO = ("no", "yes")
_NAME = TypeAdapter[str](Id64)


@app.command(
    epilog="Example:\n\n"
    "tidings wallet put GCASH --gateway 'push=https://push.gcash.example;channels=PUSH' "
    "--gateway 'https://gcash.example/api;inquiry;rate=100/s' --cap 5/24h",
)
def put(
    name: Annotated[str, typer.Argument(help="Name of the super app, as in customerBelongsTo, such as GCASH.")],
    *,
    gateways: Annotated[
        list[str],
        typer.Option(
            "--gateway",
            metavar=GATEWAY,
            help="Where messages go: /v2/platform/message/send is appended to the URL. Repeat: the first that serves a "
            "channel has it, the next while that one fails. ;inquiry: it can be asked what became of messages, at "
            "/v2/platform/message/inquiry. ;rate=100/s: at most 100 messages a second of all workers together, evenly; "
            "what exceeds waits and burns no try. Default: every channel, no inquiry, no rate, a name made from the "
            "wallet's.",
        ),
    ],
    capped: Annotated[
        str | None,
        typer.Option(
            "--cap",
            metavar="N/PERIOD",
            help="At most N messages of one appId to one customer in any period, such as 5/24h; default: no cap.",
        ),
    ] = None,
) -> None:
    """Store a wallet, or replace all that is known of it."""
    with told():
        wallet = Wallet(_checked_name(name), tuple(_gateways(name, gateways)), _cap(capped))

        async def main(services: Services) -> list[str]:
            known = await services.wallets.all()
            _refuse_borrowed_names(wallet, known)
            await services.wallets.put(wallet)
            return list(_other_rates(wallet, known))

        notes = run(main)
        say(f"{wallet.name}: {_described(wallet)}")
        for channel in Channel:
            if not wallet.gateways_for(channel):
                notes.append(f"no gateway serves {channel}: sends to it are refused")
        for note in notes:
            say_aside(f"note: {note}")


@app.command("list", epilog="Example:\n\ntidings wallet list --json")
def list_wallets(*, as_json: AsJson = False) -> None:
    """List every wallet with its gateways, most preferred first, their rates and breakers, and its cap.

    A rate whose turns are all taken for a while is what messages wait for; they have the code GATEWAY_RATE then.
    """
    with told():

        async def main(services: Services) -> tuple[Mapping[str, Wallet], _States]:
            known = await services.wallets.all()
            paced = {route.name for wallet in known.values() for route in wallet.gateways if route.rate}
            return known, _States(await services.breakers.opened(), await services.turns.taken_for(sorted(paced)))

        known, states = run(main)
        wallets = sorted(known.values(), key=lambda wallet: wallet.name)
        if as_json:
            print_json([_wallet_json(wallet, states) for wallet in wallets])
        elif wallets:
            headings = ("Wallet", "Gateway", "URL", "Channels", "Inquiry", "Rate", "Breaker", "Cap")
            show_table(headings, (row for wallet in wallets for row in _rows(wallet, states)))
        else:
            say("no wallets yet: see tidings wallet put --help")


class _States(NamedTuple):
    """How gateways are at this moment, by name."""

    opened: Mapping[str, OpenedBreaker]
    taken_for: Mapping[str, int]
    """Milliseconds for which all turns of a send rate are taken."""


def _checked_name(name: str) -> str:
    try:
        return _NAME.validate_python(name)
    except ValidationError:
        raise ArgumentError("NAME: must be at most 64 characters, without @, #, ? and white space") from None


def _gateways(wallet: str, texts: Sequence[str]) -> Iterator[GatewayRoute]:
    seen: set[str] = set()
    for place, text in enumerate(texts, 1):
        default_name = wallet.lower() if place == 1 else f"{wallet.lower()}-{place}"
        try:
            route = gateway(text, default_name)
        except ArgumentError as error:
            raise ArgumentError(f"--gateway, number {place}: {error}") from None
        if route.name in seen:
            raise ArgumentError(f"--gateway, number {place}: needs a name of its own; {route.name} is taken")
        seen.add(route.name)
        yield route


def _refuse_borrowed_names(wallet: Wallet, known: Mapping[str, Wallet]) -> None:
    """Raise ArgumentError where a name means another URL elsewhere: a breaker is kept under that name (R69)."""
    urls = {
        route.name: (route.url, other.name)
        for other in known.values()
        if other.name != wallet.name
        for route in other.gateways
    }
    for route in wallet.gateways:
        url, owner = urls.get(route.name, (route.url, ""))
        if url != route.url:
            raise ArgumentError(f"--gateway {route.name}: names another URL at {owner}; give it another name")


def _other_rates(wallet: Wallet, known: Mapping[str, Wallet]) -> Iterator[str]:
    """Yield notes on gateways that other wallets name with another rate: under one name they share their turns."""
    rates = {route.name: route.rate for route in wallet.gateways}
    for other in known.values():
        for route in other.gateways if other.name != wallet.name else ():
            if route.name in rates and route.rate != rates[route.name]:
                yield f"gateway {route.name} has {_rate_text(route) or 'no rate'} at {other.name}; put that wallet too"


def _rate_text(route: GatewayRoute) -> str:
    return "" if route.rate is None else f"{route.rate}/s"


def _cap(text: str | None) -> SendCap | None:
    try:
        return None if text is None else cap(text)
    except ArgumentError as error:
        raise ArgumentError(f"--cap: {error}") from None


def _described(wallet: Wallet) -> str:
    gateways = ", ".join(map(_route_text, wallet.gateways))
    return f"{gateways}; {_cap_text(wallet.cap) or 'no cap'}"


def _route_text(route: GatewayRoute) -> str:
    rate = f" {_rate_text(route)}" if route.rate else ""
    return f"{route.name} ({' '.join(sorted(route.channels))}){rate}"


def _cap_text(send_cap: SendCap | None) -> str:
    return f"{send_cap.messages} in {period(send_cap.period)}" if send_cap else ""


def _rows(wallet: Wallet, states: _States) -> Iterator[tuple[str, ...]]:
    for route in wallet.gateways:
        channels, breaker = " ".join(sorted(route.channels)), _breaker_text(states.opened.get(route.name))
        inquiry, rate = _YES_OR_NO[route.inquiry], _rate_text(route)
        if states.taken_for.get(route.name):
            rate += f", taken for {elapsed(states.taken_for[route.name])}"
        yield wallet.name, route.name, route.url, channels, inquiry, rate, breaker, _cap_text(wallet.cap)


def _breaker_text(opened: OpenedBreaker | None) -> str:
    if opened is None:
        return BreakerState.CLOSED
    left = f" for {elapsed(opened.open_for)}" if opened.open_for else ""
    return f"{opened.state}{left} ({opened.reason}, since {utc(opened.since)})"


def _wallet_json(wallet: Wallet, states: _States) -> dict[str, object]:
    return {
        "name": wallet.name,
        "gateways": [_gateway_json(route, states) for route in wallet.gateways],
        "cap": {"messages": wallet.cap.messages, "periodMs": wallet.cap.period} if wallet.cap else None,
    }


def _gateway_json(route: GatewayRoute, states: _States) -> dict[str, object]:
    opened = states.opened.get(route.name)
    breaker: dict[str, object] = {"state": BreakerState.CLOSED}
    if opened is not None:
        breaker = {
            "state": opened.state,
            "openForMs": opened.open_for,
            "since": opened.since,
            "times": opened.times,
            "reason": opened.reason,
        }
    return {
        "name": route.name,
        "url": route.url,
        "channels": sorted(route.channels),
        "inquiry": route.inquiry,
        "rate": route.rate,
        "turnsTakenForMs": states.taken_for.get(route.name),
        "breaker": breaker,
    }


app.command("remove", epilog=wallet_removal.EPILOG)(wallet_removal.remove)
