"""`tidings client`: register callers, give them newer keys, and list them."""

from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from api_adapter.cli import client_removal
from api_adapter.cli.arguments import ArgumentError, duration, overlap
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, print_json, stacked, utc
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from worker.contract.clients import PLAIN_CLIENT_ID, ClientKey, Network, RegisteredClient
from worker.contract.field_types import AppId
from worker.contract.rates import RateUse
from worker.signatures import UnusableKeyError, normal_public_key

app = typer.Typer(
    help="Register the callers of the API: their public keys, appIds and addresses.\n\n"
    "A client with a --rate is refused with REQUEST_TRAFFIC_EXCEED_LIMIT beyond it, told in RateLimit headers; a limit "
    "for each appId is TIDINGS_APP_RATES. What `tidings send` sends is yours, and not limited.\n\n"
    "Once one is registered, nobody else may call but those of TIDINGS_CLIENTS; with TIDINGS_SIGNATURES=required, "
    "nobody else at all.",
    no_args_is_help=True,
)

_APP_ID = TypeAdapter[str](AppId)
_DEFAULT_OVERLAP = "7d"

Name = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="What the client sends as Client-Id.")]
ExpiresIn = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="How long the key is valid, such as 365d; default: for ever."),
]


@app.command(
    epilog="Example:\n\ntidings client add merchant-1 --key merchant-1.pub.pem --app-id 333301 --app-id 333302 "
    "--ip 203.0.113.0/24",
)
def add(
    client_id: Name,
    *,
    app_ids: Annotated[list[str], typer.Option("--app-id", help="What it may send and look up for; repeat.")],
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its RSA public key, a PEM; required for a new client, keyVersion 1."),
    ] = None,
    expires_in: ExpiresIn = None,
    rate: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most sends a second over HTTP, all its appIds together; as many may come at once after a pause. "
            "Default: no limit.",
        ),
    ] = None,
    ip: Annotated[
        list[str] | None,
        typer.Option(help="Address or network it may call from, such as 203.0.113.0/24; repeat. Default: anywhere."),
    ] = None,
) -> None:
    """Register a client, or replace its appIds, rate and addresses: the keys of a known one stay, see `rotate`."""
    with told():
        _check_name(client_id)
        allowed, networks = frozenset(map(_app_id, app_ids)), tuple(map(_network, ip or ()))
        pem = None if key is None else _public_key(key)
        if pem is None and expires_in is not None:
            raise ArgumentError("--expires-in: is about a new key; give --key too")

        async def main(services: Services) -> RegisteredClient:
            ends_at = _end(expires_in, services.clock.now())

            def changed(known: RegisteredClient | None) -> RegisteredClient:
                keys = _first_key(pem, ends_at) if known is None else _kept_keys(known, pem)
                return RegisteredClient(client_id, allowed, keys, rate, networks)

            return await services.clients.change(client_id, changed)

        say(_described(run(main)))


@app.command(
    epilog="Examples:\n\ntidings client rotate merchant-1 --key newer.pub.pem\n\n"
    "tidings client rotate merchant-1 --key newer.pub.pem --old-keys-end-in 0s",
)
def rotate(
    client_id: Name,
    *,
    key: Annotated[Path, typer.Option(metavar="FILE", help="Its newer RSA public key, a PEM.")],
    expires_in: ExpiresIn = None,
    old_keys_end_in: Annotated[
        str,
        typer.Option(metavar="DURATION", help="How long the older keys stay valid; 0s: they end now."),
    ] = _DEFAULT_OVERLAP,
) -> None:
    """Give a client a newer key, and print the keyVersion that it has to name from now on.

    A request that names no keyVersion has to be signed with the newest key.
    """
    with told():
        pem, span = _public_key(key), _overlap(old_keys_end_in)

        async def main(services: Services) -> RegisteredClient:
            now = services.clock.now()
            ends_at = _end(expires_in, now)

            def changed(known: RegisteredClient | None) -> RegisteredClient:
                if known is None:
                    raise ArgumentError("CLIENT_ID: is not registered; see tidings client add --help")
                _refuse_known_key(known, pem)
                return known.rotated(pem, now, span, ends_at)

            return await services.clients.change(client_id, changed)

        say(_described(run(main)))


@app.command("list", epilog="Example:\n\ntidings client list --json")
def list_clients(*, as_json: AsJson = False) -> None:
    """List every client with its appIds, keys, rate and addresses, and how much of the rate is used."""
    with told():

        async def main(services: Services) -> list[tuple[RegisteredClient, RateUse | None]]:
            known = await services.clients.all()
            clients = [known[client_id] for client_id in sorted(known)]
            uses = await services.rates.uses([limit for client in clients if (limit := client.rate_limit)])
            return [(client, uses[limit] if (limit := client.rate_limit) else None) for client in clients]

        clients = run(main)
        if as_json:
            print_json([_client_json(*client) for client in clients])
        elif clients:
            rows = (_row(*client) for client in clients)
            show_table(("Client", "Apps", "Keys", "Rate", "Refused", "Addresses"), rows)
        else:
            say("no clients yet: see tidings client add --help")


def _check_name(client_id: str) -> None:
    if not PLAIN_CLIENT_ID.fullmatch(client_id):
        raise ArgumentError("CLIENT_ID: must be 1 to 128 printable ASCII characters, no white space")


def _app_id(text: str) -> str:
    try:
        return _APP_ID.validate_python(text)
    except ValidationError:
        raise ArgumentError("--app-id: must be 1 to 32 characters, without @, #, ? and white space") from None


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ArgumentError("--ip: must be an address or a network such as 203.0.113.7 or 203.0.113.0/24") from None


def _public_key(file: Path) -> str:
    try:
        return normal_public_key(file.read_bytes())
    except OSError as error:
        raise ArgumentError(f"--key: can't be read ({error.strerror}); give a PEM file") from error
    except UnusableKeyError as error:
        raise ArgumentError(f"--key: {error}") from None


def _end(expires_in: str | None, now: int) -> int | None:
    try:
        return None if expires_in is None else now + duration(expires_in)
    except ArgumentError as error:
        raise ArgumentError(f"--expires-in: {error}") from None


def _overlap(old_keys_end_in: str) -> int:
    try:
        return overlap(old_keys_end_in)
    except ArgumentError as error:
        raise ArgumentError(f"--old-keys-end-in: {error}") from None


def _first_key(pem: str | None, ends_at: int | None) -> tuple[ClientKey, ...]:
    if pem is None:
        raise ArgumentError("--key: is required for a client that is not registered yet")
    return (ClientKey(1, pem, ends_at),)


def _kept_keys(known: RegisteredClient, pem: str | None) -> tuple[ClientKey, ...]:
    if pem is not None:
        raise ArgumentError("--key: this client is registered; give it a newer key with tidings client rotate")
    return known.keys


def _refuse_known_key(known: RegisteredClient, pem: str) -> None:
    for key in known.keys:
        if key.pem == pem:
            raise ArgumentError(f"--key: is the client's keyVersion {key.version} already; make a new one")


def _described(client: RegisteredClient) -> str:
    rate = f"; {client.rate:,}/s" if client.rate is not None else ""
    keys, apps = "; ".join(map(_key_text, client.keys)), " ".join(sorted(client.app_ids))
    return f"{client.client_id}: {keys}; apps {apps}{rate}; addresses {_addresses(client.networks)}"


def _key_text(key: ClientKey) -> str:
    return f"keyVersion {key.version}" + ("" if key.ends_at is None else f" until {utc(key.ends_at)}")


def _row(client: RegisteredClient, use: RateUse | None) -> tuple[str | Text, ...]:
    return (
        client.client_id,
        " ".join(sorted(client.app_ids)),
        stacked(map(_key_text, client.keys)),
        "" if use is None else f"{client.rate}/s, {use.left} left now",
        "" if use is None else f"{use.refused:,}",
        _addresses(client.networks),
    )


def _addresses(networks: Sequence[Network]) -> str:
    return " ".join(map(str, networks)) or "any"


def _client_json(client: RegisteredClient, use: RateUse | None) -> dict[str, object]:
    return {
        "clientId": client.client_id,
        "appIds": sorted(client.app_ids),
        "keys": [{"keyVersion": key.version, "endsAt": key.ends_at, "pem": key.pem} for key in client.keys],
        "rate": client.rate,
        "rateUse": None if use is None else {"left": use.left, "refused": use.refused},
        "addresses": [str(network) for network in client.networks],
    }


app.command("remove", epilog=client_removal.EPILOG)(client_removal.remove)
