"""`tidings demo`: a whole stack of its own sends notices through scripted faults and accounts for each."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from api_adapter.cli.context import EXIT_INTERRUPTED, told
from api_adapter.cli.screens import curl, places
from api_adapter.demo.performance import Performance, prepare
from api_adapter.demo.progress import display
from api_adapter.demo.report import Report, as_json, show
from api_adapter.demo.scenario import APP_ID, CLIENT_ID, FEWEST, Notice, notices
from api_adapter.paths import INQUIRY
from api_adapter.stack.directories import new_directory, remove
from api_adapter.stack.exchanges import http_client
from api_adapter.stack.interrupts import Interrupted, interruptible
from api_adapter.stack.ports import Wish, choose_ports
from api_adapter.stack.running import Stack, running
from api_adapter.wiring import front
from worker.settings import Settings, read_settings

EXIT_UNACCOUNTED = 1
"""Some notice is not where it must be, or was delivered twice."""
SHORTER = {
    "call_timeout": 1_500,
    "max_tries": 7,
    "backoff_base": 100,
    "backoff_cap": 800,
    "sweep_interval": 250,
}
"""Settings of the demo's own, so that what meets a gateway that never answers ends soon too."""
_HOST = "127.0.0.1"
_PATIENCE = 10.0
"""Seconds that the demo's merchant waits for an answer."""

Publish = Callable[[Report], None]
Afterwards = Callable[[Stack, Report], Awaitable[None]]


def demo(
    messages: Annotated[int, typer.Option("--messages", "-n", min=FEWEST, help="Notices to send.")] = 2_000,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up until Ctrl-C, and keep its data.")] = False,
    json_wanted: Annotated[bool, typer.Option("--json", help="Print the result as JSON, the rest on stderr.")] = False,
) -> None:
    """See it work: a whole stack sends notices through gateways that fail, and accounts for each.

    It starts a stack of its own on free ports. Half of the notices go over
    HTTP, half by batch, while the wallets' gateways play scripted faults. In
    the end it compares what the merchant, the ledger and the wallets know.

    Exit code 0: every notice is accounted for and none was delivered twice.
    Exit code 1: it says which is not.
    """
    console = Console(stderr=json_wanted, highlight=False)
    publish = _print_json if json_wanted else partial(show, console=console)
    with told():
        # Only where the directory lies is taken from the environment: the demo's numbers are its own.
        directory = new_directory(read_settings().data_dir / "demo")
        session = Session(notices(messages), _settings(directory), console)
        report = session.run(partial(_stay_up, console, publish) if keep else _leave)
        if report is None:
            console.print("Interrupted; everything is stopped.")
        elif not keep:
            publish(report)
        if report is None or (report.is_good and not keep):
            remove(directory)
        else:
            console.print(f"Data and logs are kept in {directory}", markup=False, soft_wrap=True)
        raise typer.Exit(_exit_code(report))


class Session:
    """One run of the demo."""

    def __init__(self, planned: Sequence[Notice], settings: Settings, console: Console) -> None:
        """Keep what it sends, the settings of its stack, and where it shows how far it is."""
        self._planned = planned
        self._settings = settings
        self._console = console
        self._report: Report | None = None

    def run(self, afterwards: Afterwards) -> Report | None:
        """Return the result, None when a signal came before; `afterwards` is called while the stack is still up."""
        with suppress(Interrupted):
            asyncio.run(interruptible(partial(self._session, afterwards)))
        return self._report

    async def _session(self, afterwards: Afterwards, impatient: asyncio.Event) -> None:
        self._announce()
        async with running(self._settings, os.environ, impatient, self._console.print) as stack:
            self._report = await stack.guard(self._play(stack))
            await afterwards(stack, self._report)

    async def _play(self, stack: Stack) -> Report:
        async with front(self._settings, stack.addresses) as desk, http_client(_PATIENCE) as client:
            await prepare(desk.services, stack.gateway_url, self._planned)
            performance = Performance(desk, client, stack.api_url, self._planned)
            with display(self._console) as shown:
                await performance.play(shown)
            return await performance.report(stack.gateway_url)

    def _announce(self) -> None:
        usual = Settings.model_construct()
        shorter = ", ".join(f"{name.upper()} {value} ({getattr(usual, name)})" for name, value in SHORTER.items())
        for line in (
            f"[bold]{len(self._planned):,} payment notices[/] in 3 languages to users of 3 wallets, half over",
            "HTTP, half by batch; some meet a gateway that fails.",
            f"[dim]Settings of its own, to end soon (usual): {shorter}[/]",
            "Starting Valkey, HTTP API, worker and gateway simulator ...",
        ):
            self._console.print(line)


async def _leave(_stack: Stack, _report: Report) -> None:
    """Let the stack stop."""


async def _stay_up(console: Console, publish: Publish, stack: Stack, report: Report) -> None:
    """Publish the result and keep the stack until a signal."""
    publish(report)
    for line in ("", *places(stack), "", "[bold]Look one up[/], such as the slowest:", ""):
        console.print(line, soft_wrap=True)
    wanted = {"appId": APP_ID, "requestId": report.slowest[0].request_id}
    for line in curl(stack.api_url + INQUIRY, CLIENT_ID, wanted):
        console.print(line, markup=False, soft_wrap=True)
    console.print("\n[bold green]Up.[/] Ctrl-C stops it.")
    await stack.watch()


def _settings(directory: Path) -> Settings:
    ports = choose_ports([Wish(_HOST, 0, "the demo's API"), Wish(_HOST, 0, "the demo's gateway simulator")])
    # Without the environment, which is the user's; the parts validate what they are given.
    placed = {"data_dir": directory, "api_port": ports[0], "gateway_port": ports[1]}
    return Settings.model_construct().model_copy(update={**SHORTER, **placed})


def _print_json(report: Report) -> None:
    typer.echo(orjson.dumps(as_json(report), option=orjson.OPT_INDENT_2).decode())


def _exit_code(report: Report | None) -> int:
    if report is None:
        return EXIT_INTERRUPTED
    return 0 if report.is_good else EXIT_UNACCOUNTED
