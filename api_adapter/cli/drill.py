"""`tidings drill`: plays faults on stacks of its own under load, and counts what was lost or doubled."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from api_adapter.cli.arguments import ArgumentError, duration
from api_adapter.cli.context import EXIT_INTERRUPTED, told
from api_adapter.cli.printing import AsJson, print_json
from api_adapter.cli.tables import show_table
from api_adapter.drill.fault import Fault
from api_adapter.drill.faults import CATALOGUE
from api_adapter.drill.playing import Drill
from api_adapter.drill.report import HEADINGS, as_json, cells
from api_adapter.drill.row import Row
from api_adapter.drill.times import Times
from api_adapter.stack.directories import new_directory, remove
from api_adapter.stack.interrupts import Interrupted, interruptible
from worker.settings import read_settings

ALL = "all"
EXIT_BROKEN = 1
"""Some row breaks the zero rule."""
EPILOG = (
    "Examples:\n\n"
    "tidings drill --list\n\n"
    "tidings drill worker-killed redis-killed-always\n\n"
    "tidings drill all --messages 2000 --outage 5s --json > drill.json\n\n"
    "Exit code: 0 every row keeps the rule, 1 some row breaks it, 130 interrupted."
)


def drill(
    faults: Annotated[
        list[str] | None, typer.Argument(metavar="FAULT...|all", help="What to play; see --list.")
    ] = None,
    *,
    listed: Annotated[bool, typer.Option("--list", help="Name and explain every fault.")] = False,
    messages: Annotated[int, typer.Option("--messages", "-n", min=50, help="Messages to send for each.")] = 20_000,
    outage: Annotated[
        str, typer.Option(help="How long a gateway misbehaves; a killed server is away for a tenth of it.")
    ] = "30s",
    at_once: Annotated[
        int, typer.Option(min=1, help="Faults to play side by side; more than 1 makes the times worse.")
    ] = 1,
    json_wanted: AsJson = False,
) -> None:
    """Break things on purpose, under load, and count what was lost or doubled.

    For each fault it starts a fresh stack on this machine: Redis, API, workers
    and a gateway simulator that honours the messageId, all real processes. It
    sends messages over the time of the fault, plays it, waits until everything
    is settled, and counts deliveries (a message on one channel) from what the
    merchant was told, what the gateway saw, and what the ledger records.

    The rule: nothing lost, nothing shown twice, no call for a channel whose
    outcome was recorded, and delivery goes on within 10 s after the fault.
    Rows at risk (power loss with appendfsync everysec) are outside of it.

    Lease, sweep interval and all other times are the TIDINGS_ settings. Stores
    and ports of yours are not touched. See docs/drills.md.
    """
    with told():
        if listed:
            show_table(("fault", "what happens"), ((fault.name, fault.says) for fault in CATALOGUE))
            return
        session = Session(_chosen(faults or ()), at_once)
        finished = session.run(messages, duration(outage) / 1000)
        rows = [as_json(row) for row in session.rows]
        if json_wanted:
            print_json(rows)
        else:
            show_table(HEADINGS, map(cells, rows))
        raise typer.Exit(_exit_code(session.rows) if finished else EXIT_INTERRUPTED)


class Session:
    """One run of the command."""

    def __init__(self, faults: Sequence[Fault], at_once: int) -> None:
        """Keep what is to be played."""
        self._faults = faults
        self._turns = asyncio.Semaphore(at_once)
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._status = Status("", console=self._console)
        self._doing: dict[str, str] = {}
        self._rows: dict[str, Row] = {}

    @property
    def rows(self) -> list[Row]:
        """What was found, in the order of the catalogue."""
        return [self._rows[fault.name] for fault in self._faults if fault.name in self._rows]

    def run(self, messages: int, outage: float) -> bool:
        """Play all; say whether it came to its end: a signal stops everything."""
        settings = read_settings()
        directory = new_directory(settings.data_dir / "drill")
        played = Drill(settings, Times.of(settings, outage), messages, directory)
        try:
            with suppress(Interrupted):
                asyncio.run(interruptible(lambda _: self._play_all(played)))
                return True
            return False
        finally:
            self._tidy(played)

    async def _play_all(self, played: Drill) -> None:
        with self._status if self._console.is_terminal else nullcontext():
            async with asyncio.TaskGroup() as group:
                for fault in self._faults:
                    group.create_task(self._play(played, fault))

    async def _play(self, played: Drill, fault: Fault) -> None:
        async with self._turns:
            try:
                row = await played.play(fault, lambda doing: self._show(fault.name, doing))
            finally:
                self._doing.pop(fault.name, None)
        self._rows[fault.name] = row
        for line in (f"{fault.name}: {'kept the rule' if row.good else 'BROKE THE RULE'}", *row.problems):
            self._console.print(line if line.startswith(fault.name) else f"  {line}", soft_wrap=True)

    def _show(self, fault: str, doing: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"{fault}: {doing}")
            return
        self._doing[fault] = doing
        number = f"{len(self._rows) + 1} of {len(self._faults)}"
        self._status.update(f"{number}  " + ", ".join(f"{name}: {what}" for name, what in self._doing.items()))

    def _tidy(self, played: Drill) -> None:
        """Remove the data and logs, unless there is something to look for in them."""
        if all(row.good for row in self.rows):
            remove(played.directory)
        else:
            self._console.print(f"Data and logs are kept in {played.directory}", soft_wrap=True)


def _chosen(names: Sequence[str]) -> list[Fault]:
    known = {fault.name: fault for fault in CATALOGUE}
    if not names or not set(names) <= {ALL, *known}:
        raise ArgumentError(f"name one or more of {', '.join(known)}, or {ALL}; --list explains them")
    return list(CATALOGUE) if ALL in names else [known[name] for name in dict.fromkeys(names)]


def _exit_code(rows: Iterable[Row]) -> int:
    return 0 if all(row.good for row in rows) else EXIT_BROKEN
