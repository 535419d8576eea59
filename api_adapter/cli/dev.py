"""`tidings dev`: a whole stack on this machine that stays up, its data kept between runs."""

import asyncio
import os
import secrets
from collections.abc import Iterator, Sequence

import typer
from rich.console import Console

from api_adapter.cli.context import EXIT_INTERRUPTED, told
from api_adapter.cli.screens import curl, places
from api_adapter.paths import INQUIRY, SEND
from api_adapter.stack.interrupts import Interrupted, interruptible
from api_adapter.stack.ports import Wish, choose_ports
from api_adapter.stack.readiness import simulates
from api_adapter.stack.running import Stack, running
from api_adapter.stack.samples import APP_ID, CLIENT_ID, USERS, register
from worker.bootstrap import services
from worker.settings import Settings, read_settings

_MARKER = "samples"


def dev() -> None:
    """Run a whole stack on this machine until Ctrl-C; its data is kept between runs.

    It starts an embedded Valkey, the HTTP API, a worker and the gateway
    simulator, and registers sample templates, users and a wallet the first
    time. Everything lives in TIDINGS_DATA_DIR, the logs too. Where a gateway
    simulator answers at the address that wallets have, they stay with it.
    """
    with told():
        settings = _ready_to_start(read_settings())
        try:
            asyncio.run(interruptible(lambda impatient: _session(settings, impatient)))
        except Interrupted as interrupted:
            typer.echo(f"Stopped. The data is kept in {settings.data_dir}.")
            raise typer.Exit(EXIT_INTERRUPTED if interrupted.impatiently else 0) from None


async def _session(settings: Settings, impatient: asyncio.Event) -> None:
    typer.echo("Starting Valkey, HTTP API, worker and gateway simulator ...")
    async with running(settings, os.environ, impatient, typer.echo) as stack:
        async with services(settings, stack.addresses) as found:
            await found.ledger.open()
            notes = await register(found, settings.data_dir / _MARKER, stack.gateway_url, simulates)
        _welcome(stack, notes)
        await stack.watch()


def _ready_to_start(settings: Settings) -> Settings:
    """Return the settings with ports that are free, and with logs that tell when the worker is ready."""
    wishes = [
        Wish(settings.api_host, settings.api_port, "TIDINGS_API_PORT"),
        Wish(settings.gateway_host, settings.gateway_port, "TIDINGS_GATEWAY_PORT"),
    ]
    ports = choose_ports(wishes)
    for wish, port in zip(wishes, ports, strict=True):
        if wish.port not in {0, port}:
            typer.echo(f"Port {wish.port} ({wish.setting}) is taken: using {port} instead.")
    level = settings.log_level if settings.log_level == "debug" else "info"
    return settings.model_copy(update={"api_port": ports[0], "gateway_port": ports[1], "log_level": level})


def _welcome(stack: Stack, notes: Sequence[str]) -> None:
    console = Console(highlight=False)
    for line in ("", *places(stack), ""):
        console.print(line, soft_wrap=True)
    for line in notes:
        console.print(line, markup=False, soft_wrap=True)
    for line in (*([""] if notes else []), *_users(), ""):
        console.print(line, soft_wrap=True)
    for line in first_steps(stack.settings, stack.api_url, f"hello-{secrets.token_hex(3)}"):
        console.print(line, markup=False, soft_wrap=True)
    console.print("\n[bold green]Up.[/] Ctrl-C stops it; the data is kept.")


def _users() -> Iterator[str]:
    width = max(len(sample.token) for sample in USERS)
    yield f"[bold]{'accessToken':<{width}}  whose user[/]"
    for sample in USERS:
        yield f"{sample.token:<{width}}  {sample.shows}"


def first_steps(settings: Settings, api_url: str, request_id: str) -> Iterator[str]:
    """Yield what to try first, in lines."""
    if settings.signatures == "required":
        yield "Requests have to be signed: see tidings client add --help and"
        yield "tidings sign --help."
        return
    yield "Send a message, and look up what became of it:"
    yield ""
    yield from curls(api_url, request_id)


def curls(api_url: str, request_id: str) -> Iterator[str]:
    """Yield the lines of two commands for a shell: one sends a message, one looks it up."""
    send = {
        "appId": APP_ID,
        "accessToken": USERS[0].token,
        "requestId": request_id,
        "templateCode": "PAYMENT_NOTICE",
        "redirectUrl": "/pages/bill/1",
        "templates": [
            {"templateParameters": {"who": "Ann", "amount": "$12.50", "shop": "Noodles", "time": "12:30"}},
        ],
    }
    yield from curl(api_url + SEND, CLIENT_ID, send)
    yield ""
    yield from curl(api_url + INQUIRY, CLIENT_ID, {"appId": APP_ID, "requestId": request_id})
