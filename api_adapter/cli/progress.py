"""How far a long verb is, on standard error: a bar on a terminal, a line every few seconds elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from api_adapter.cli.printing import counted, elapsed
from api_adapter.cli.saying import beside, say_aside
from worker.ports import Clock

_LINE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Work:
    """What is under way."""

    title: str
    unit: str
    """What is counted for people, such as lines."""
    total: int | None
    """What is done at the end, in whatever the verb measures itself by; None: nobody knows."""


class Meter(Protocol):
    """What a verb tells while it works."""

    def advance(self, done: int, number: int) -> None:
        """Take how much of the total is done, and how many units that is so far."""
        ...

    def say(self, text: str) -> None:
        """Print a line that stays."""
        ...


@contextmanager
def progress(work: Work, clock: Clock) -> Iterator[Meter]:
    """Show how far the work is for as long as the block lasts."""
    console = Console(stderr=True, markup=False, highlight=False)
    if console.is_interactive:
        bar = _columns(console)
        with beside(bar):
            yield _Bar(bar, work, clock)
    else:
        yield _Lines(work, clock)


@contextmanager
def progress_on_terminal(work: Work, clock: Clock) -> Iterator[Meter]:
    """Do as `progress` on a terminal, and say nothing elsewhere."""
    if Console(stderr=True).is_interactive:
        with progress(work, clock) as meter:
            yield meter
    else:
        yield _Silence()


class _Silence:
    """Implements `Meter` where nobody looks."""

    def advance(self, done: int, number: int) -> None:
        """Keep it to itself."""

    def say(self, text: str) -> None:
        """Keep it to itself."""


def _columns(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        # Who prints beside it takes it away: `saying`.
        redirect_stdout=False,
        redirect_stderr=False,
    )


class _Bar:
    """Implements `Meter` on a terminal."""

    def __init__(self, bar: Progress, work: Work, clock: Clock) -> None:
        self._bar = bar
        self._unit = work.unit
        self._clock = clock
        self._task = bar.add_task(work.title, total=work.total, said="")
        self._start = clock.monotonic()

    def advance(self, done: int, number: int) -> None:
        said = rate(number, self._unit, self._clock.monotonic() - self._start)
        self._bar.update(self._task, completed=done, said=said)

    def say(self, text: str) -> None:
        say_aside(text)


class _Lines:
    """Implements `Meter` everywhere else."""

    def __init__(self, work: Work, clock: Clock) -> None:
        self._work = work
        self._clock = clock
        self._start = self._said_at = clock.monotonic()

    def advance(self, done: int, number: int) -> None:
        now = self._clock.monotonic()
        if now - self._said_at >= _LINE_SECONDS:
            self._said_at = now
            passed = now - self._start
            self.say(f"{self._work.title}: {rate(number, self._work.unit, passed)}{_rest(self._work, done, passed)}")

    def say(self, text: str) -> None:
        say_aside(text)


def rate(number: int, unit: str, seconds: float) -> str:
    """Return `12,000 lines, 3,000/s`; the unit is named as one of them is."""
    pace = f", {number / seconds:,.0f}/s" if seconds > 0 else ""
    return f"{counted(number, unit)}{pace}"


def _rest(work: Work, done: int, seconds: float) -> str:
    if not work.total or not done:
        return ""
    left = seconds * (work.total - done) / done
    return f", {done * 100 // work.total} %, {elapsed(int(left * 1000))} left"
