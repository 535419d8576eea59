"""`tidings token`: put, list and revoke access tokens. No token is ever printed: its keyed hash stands for it."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, print_json, utc
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.tables import show_table
from api_adapter.cli.token_files import STDIN, note_other_source, note_unknown_wallets, put_file
from api_adapter.cli.token_lines import TokenLine, read_options
from worker.contract.users import TokenGrant

app = typer.Typer(
    help="Put, list and revoke access tokens.\n\nOnly a keyed hash of each token is stored, and none is ever printed.",
    no_args_is_help=True,
)

_SHOWN_DIGITS = 12
_ID = re.compile(r"[0-9a-f]{8,32}")
"""What an argument that is no token may be: the first digits of a keyed hash."""


@app.command(
    epilog="Examples:\n\n"
    "pass wallet/ann | tidings token put - --customer-id 2088001 --app-id 333301 --wallet GCASH "
    "--language en-PH --expires-in 30d\n\n"
    "tidings token put --file tokens.jsonl",
)
def put(  # noqa: PLR0913 - one parameter an option
    token: Annotated[
        str | None,
        typer.Argument(help="The access token, or - to read it from standard input: arguments stay in shell history."),
    ] = None,
    *,
    customer_id: Annotated[str | None, typer.Option(help="The wallet's id of the user, at most 32 characters.")] = None,
    app_id: Annotated[str | None, typer.Option(help="The mini program that may send with the token.")] = None,
    wallet: Annotated[str | None, typer.Option(help="The user's super app, as in customerBelongsTo.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="BCP 47 tag; repeat, most preferred first.")] = None,
    opt_out: Annotated[list[str] | None, typer.Option(help="A channel the user wants nothing on; repeat.")] = None,
    time_zone: Annotated[str | None, typer.Option(metavar="ZONE", help="The user's, such as Asia/Manila.")] = None,
    quiet_hours: Annotated[
        str | None,
        typer.Option(metavar="HOURS", help="When the user wants no message, such as 22:00-07:00 of the time zone."),
    ] = None,
    scope: Annotated[list[str] | None, typer.Option(help="What the token permits; default: SEND_MESSAGE.")] = None,
    expires_in: Annotated[str | None, typer.Option(metavar="DURATION", help="Such as 12h or 30d.")] = None,
    expires_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="ISO 8601 with offset, or milliseconds since 1970; default: never."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines, - for standard input: accessToken, customerId, appId, wallet, and perhaps languages, "
            "optedOut, timeZone, quietHours, scopes, expiresIn, expiresAt. A bad line does not stop the others.",
        ),
    ] = None,
) -> None:
    """Store what a token grants, or replace it.

    With TOKEN, the options --customer-id, --app-id and --wallet are required.
    """
    options = {
        "customerId": customer_id,
        "appId": app_id,
        "wallet": wallet,
        "languages": language,
        "optedOut": opt_out,
        "timeZone": time_zone,
        "quietHours": quiet_hours,
        "scopes": scope,
        "expiresIn": expires_in,
        "expiresAt": expires_at,
    }
    with told():
        if (token is None) == (file is None) or (file is not None and any(options.values())):
            raise ArgumentError("give TOKEN with its options, or --file alone; see tidings token put --help")
        if file is not None:
            put_file(file)
        else:
            _put_one(read_options({"accessToken": _secret(token or ""), **options}))


@app.command("list", epilog="Example:\n\ntidings token list --app-id 333301 --limit 20")
def list_tokens(
    *,
    app_id: Annotated[str | None, typer.Option(help="Only tokens of this mini program.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Most tokens to list.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List what is granted, each token by the first digits of its keyed hash."""
    with told():
        found, more = run(lambda services: _some(services, app_id, limit))
        found.sort(key=lambda stored: (stored[1].app_id, stored[1].user.customer_id, stored[0]))
        if as_json:
            print_json([_grant_json(token_id, grant) for token_id, grant in found])
        elif found:
            show_table(_HEADINGS, (_row(token_id, grant) for token_id, grant in found))
        else:
            say("no such tokens: see tidings token put --help")
        if more:
            say_aside(f"note: there are more than {limit}; raise --limit, or name an --app-id")


@app.command(epilog="Examples:\n\ntidings token revoke 1f0c9a77d2e4\n\ntidings token revoke - < leaked-tokens.txt")
def revoke(
    tokens: Annotated[
        list[str],
        typer.Argument(
            metavar="TOKEN|ID",
            help="Tokens, or the digits that `list` shows of them; - reads them from standard input, one a line.",
        ),
    ],
) -> None:
    """Forget tokens: sends with them are refused from now on. What was taken already is delivered."""
    with told():
        given = [name for token in tokens for name in (_names() if token == STDIN else [token])]
        found = run(lambda services: _revoke(services, given))
        for token_id in _single(found):
            say(f"revoked {token_id[:_SHOWN_DIGITS]}")
        _refuse_rest(found)


def _secret(token: str) -> str:
    if token != STDIN:
        return token
    if sys.stdin.isatty():
        return str(typer.prompt("Access token", hide_input=True, err=True))
    return sys.stdin.readline().strip()


def _names() -> list[str]:
    if sys.stdin.isatty():
        return [_secret(STDIN)]
    return [name for line in sys.stdin if (name := line.strip())]


def _put_one(line: TokenLine) -> None:
    async def main(services: Services) -> tuple[str, TokenGrant, bool]:
        note_other_source(services)
        grant = line.grant(services.clock.now())
        await services.users.put([(line.accessToken, grant)])
        return services.users.token_id(line.accessToken), grant, line.wallet in await services.wallets.all()

    token_id, grant, known_wallet = run(main)
    until = "" if grant.expires_at is None else f" until {utc(grant.expires_at)}"
    say(f"put token {token_id[:_SHOWN_DIGITS]}{until}")
    if not known_wallet:
        note_unknown_wallets({line.wallet})


async def _some(services: Services, app_id: str | None, limit: int) -> tuple[list[tuple[str, TokenGrant]], bool]:
    found: list[tuple[str, TokenGrant]] = []
    async for stored in services.users.all():
        if app_id in {None, stored.grant.app_id}:
            if len(found) == limit:
                return found, True
            found.append((stored.token_id, stored.grant))
    return found, False


async def _revoke(services: Services, given: Sequence[str]) -> list[list[str]]:
    """Revoke what can be told apart; return the keyed hashes that each argument may mean."""
    users = services.users
    grants = await users.resolve(given)
    found = [[users.token_id(name)] if grant else [] for name, grant in zip(given, grants, strict=True)]
    digits = {place: given[place] for place, ids in enumerate(found) if not ids and _ID.fullmatch(given[place])}
    if digits:
        async for stored in users.all():
            for place, name in digits.items():
                if stored.token_id.startswith(name):
                    found[place].append(stored.token_id)
    await users.revoke(_single(found))
    return found


def _single(found: Sequence[Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(ids[0] for ids in found if len(ids) == 1))


def _refuse_rest(found: Sequence[Sequence[str]]) -> None:
    """Raise ArgumentError for the arguments that mean no token or several; by their places, as they may be secrets."""
    unknown = [str(place) for place, ids in enumerate(found, 1) if not ids]
    several = [str(place) for place, ids in enumerate(found, 1) if len(ids) > 1]
    faults = []
    if unknown:
        faults.append(f"no token and no id of one: argument {', '.join(unknown)}; see tidings token list")
    if several:
        faults.append(f"the first digits of several ids: argument {', '.join(several)}; give more digits")
    if faults:
        raise ArgumentError("; ".join(faults))


_HEADINGS = ("ID", "Customer", "App", "Wallet", "Languages", "Opted out", "Quiet", "Scopes", "Expires")


def _row(token_id: str, grant: TokenGrant) -> tuple[str, ...]:
    user = grant.user
    return (
        token_id[:_SHOWN_DIGITS],
        user.customer_id,
        grant.app_id,
        user.wallet,
        " ".join(user.languages),
        " ".join(sorted(user.opted_out)),
        " ".join(filter(None, (user.quiet_hours and str(user.quiet_hours), user.time_zone))),
        " ".join(sorted(grant.scopes)),
        utc(grant.expires_at) or "never",
    )


def _grant_json(token_id: str, grant: TokenGrant) -> dict[str, object]:
    user = grant.user
    return {
        "id": token_id,
        "customerId": user.customer_id,
        "appId": grant.app_id,
        "wallet": user.wallet,
        "languages": user.languages,
        "optedOut": sorted(user.opted_out),
        "timeZone": user.time_zone,
        "quietHours": user.quiet_hours and str(user.quiet_hours),
        "scopes": sorted(grant.scopes),
        "expiresAt": grant.expires_at,
    }
