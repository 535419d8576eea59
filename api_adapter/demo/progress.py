"""The demo while it runs: a live table in a terminal, a line a second elsewhere."""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from api_adapter.demo.report import outcome_row, outcome_table
from api_adapter.demo.scenario import Via
from worker.contract.messages import Channel
from worker.contract.outcomes import Tally

_BAR = 44
_RATE_OVER = 2.0
"""Seconds that the shown rate is taken over."""
_LINE_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Glance:
    """How far it is at one moment."""

    seconds: float
    """Since the first send."""
    planned: int
    """Notices."""
    taken: Mapping[Via, int]
    tallies: Mapping[Channel, Tally]

    @property
    def settled(self) -> int:
        """Deliveries that have their outcome."""
        return sum(tally.S + tally.F + tally.U for tally in self.tallies.values())

    @property
    def accepted(self) -> int:
        """Deliveries accepted so far."""
        return sum(tally.accepted for tally in self.tallies.values())


class Display(Protocol):
    """Shows glances."""

    def show(self, glance: Glance) -> None:
        """Show how far it is."""
        ...


class Rate:
    """Deliveries settled a second, over the last moments."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, glance: Glance) -> float:
        """Return the rate, this glance included."""
        self._seen.append((glance.seconds, glance.settled))
        while self._seen[0][0] < glance.seconds - _RATE_OVER:
            self._seen.popleft()
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0


@contextmanager
def display(console: Console) -> Iterator[Display]:
    """Give what shows glances on this console."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield Screen(live)


class Screen:
    """A table that is drawn anew with each glance."""

    def __init__(self, live: Live) -> None:
        """Keep the live region."""
        self._live = live
        self._rate = Rate()

    def show(self, glance: Glance) -> None:
        """Show how far it is."""
        table = outcome_table()
        for channel, tally in glance.tallies.items():
            table.add_row(*outcome_row(channel, tally))
        self._live.update(Group("", self._bars(glance), "", table, ""), refresh=True)

    def _bars(self, glance: Glance) -> Table:
        taken = sum(glance.taken.values())
        grid = Table.grid(padding=(0, 2))
        http, batch = glance.taken[Via.HTTP], glance.taken[Via.BATCH]
        grid.add_row("sent", ProgressBar(glance.planned, taken, _BAR), f"{http:,} HTTP, {batch:,} batch")
        settled = ProgressBar(max(glance.accepted, 1), glance.settled, _BAR)
        grid.add_row("settled", settled, f"{self._rate.after(glance):,.0f}/s, {glance.seconds:.0f} s")
        return grid


class Lines:
    """One plain line a second."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console
        self._rate = Rate()
        self._next = 0.0

    def show(self, glance: Glance) -> None:
        """Show how far it is, unless that was just done."""
        rate = self._rate.after(glance)
        if glance.seconds < self._next:
            return
        self._next = glance.seconds + _LINE_EVERY
        channels = "  ".join(
            f"{channel} S {tally.S} F {tally.F} U {tally.U} open {tally.open}"
            for channel, tally in glance.tallies.items()
        )
        taken = sum(glance.taken.values())
        self._console.print(f"{glance.seconds:4.0f} s  sent {taken}  {channels}  {rate:.0f}/s", soft_wrap=True)
