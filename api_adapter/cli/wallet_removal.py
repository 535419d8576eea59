"""`tidings wallet remove`: a wallet is forgotten, once it was said what depends on it."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, counted
from api_adapter.cli.removal import Yes, print_removal
from worker.contract.errors import SettingsError
from worker.contract.users import Wallet

EPILOG = (
    "Examples:\n\ntidings wallet remove GCASH\n\ntidings wallet remove GCASH --yes\n\n"
    "Exit code: 0 it is removed (or would be), 2 there is no such wallet."
)
_LOOKED_AT = 20_000
"""Tokens that are looked at: each is a round trip."""


class _Users(NamedTuple):
    """The tokens whose users a wallet has, as far as they were looked at."""

    found: int
    looked_at: int


def remove(
    name: Annotated[str, typer.Argument(help="Name of the super app, as in tidings wallet list.")],
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Forget a wallet with its gateways, their rates and its cap: workers and API know it no more within a second.

    Without --yes only say what depends on it. Calls under way end, and are recorded.
    """
    with told():

        async def main(services: Services) -> list[str]:
            known = await services.wallets.all()
            if name not in known:
                raise ArgumentError("NAME: there is no such wallet; see tidings wallet list")
            found = _consequences(known, name, await _users(services, name), await _open(services))
            if yes and not await services.wallets.remove(name):
                raise ArgumentError("NAME: somebody else has just removed it")
            return found

        print_removal("name", name, run(main), yes=yes, as_json=as_json)


async def _users(services: Services, name: str) -> _Users | None:
    """Return how many stored tokens name a wallet; None where tokens are not stored, or their secret is not set."""
    found = looked_at = 0
    try:
        users = services.users
    except SettingsError:
        return None
    if services.settings.introspection_url:
        return None
    async for stored in users.all():
        looked_at += 1
        found += stored.grant.user.wallet == name
        if looked_at == _LOOKED_AT:
            break
    return _Users(found, looked_at)


async def _open(services: Services) -> int:
    figures = await services.figures.read()
    return figures.due + figures.scheduled + sum(figures.backlogged.values())


def _consequences(known: Mapping[str, Wallet], name: str, users: _Users | None, open_messages: int) -> list[str]:
    waiting = f"{counted(open_messages, 'message')} of all wallets {'is' if open_messages == 1 else 'are'} open"
    elsewhere = {route.name for other, wallet in known.items() if other != name for route in wallet.gateways}
    shared = sorted({route.name for route in known[name].gateways} & elsewhere)
    return [
        f"sends to its users are refused with PROCESS_FAIL{_counted(users)}",
        f"what is open for them becomes a dead letter (UNDELIVERABLE), to be replayed once it is put again: {waiting}",
        *(f"other wallets go on with its gateway {gateway}" for gateway in shared),
    ]


def _counted(users: _Users | None) -> str:
    if users is None:
        return ""
    of_how_many = f" of the first {_LOOKED_AT:,}" if users.looked_at == _LOOKED_AT else ""
    return f"; {counted(users.found, 'stored token')}{of_how_many} {'names' if users.found == 1 else 'name'} it"
