"""Lines for people: broken between words on a terminal, never within an id, a path or a command; one line elsewhere.

A bar that shows how far a verb is goes away while a line is written, and comes back below it.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple, TextIO

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import Progress
from typing_extensions import override

_COMMAND: Final = re.compile(r"(?<=: )tidings [a-z][^;:]*$")
"""A command that ends a text, as advice does."""
_bar: ContextVar[Progress | None] = ContextVar("bar", default=None)
_HANGING: Final = 2
"""Characters by which the second and later lines of a text are indented beyond its first."""


class Command(NamedTuple):
    """A command to be copied, so it stays in one piece."""

    text: str
    remark: str = ""
    """What is to be known of it."""

    @override
    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.text} {self.remark}".rstrip()


def say(text: str, command: Command | None = None, hanging: int = _HANGING) -> None:
    """Print a line, and what to run behind it."""
    _write(text, command, hanging, sys.stdout)


def say_aside(text: str, command: Command | None = None, hanging: int = _HANGING) -> None:
    """Do as `say`, on standard error."""
    _write(text, command, hanging, sys.stderr)


def write_line(line: bytes) -> None:
    """Write a line for programs to standard output, break included."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(line)
        return
    with bar_away():
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


@contextmanager
def beside(bar: Progress) -> Iterator[None]:
    """Show a bar for as long as the block lasts, and keep what is said in it off the bar."""
    token = _bar.set(bar)
    try:
        with bar:
            yield
    finally:
        _bar.reset(token)


@contextmanager
def bar_away() -> Iterator[None]:
    """Take the bar off the terminal for as long as the block writes to it."""
    bar = _bar.get()
    if bar is None:
        yield
        return
    bar.stop()
    try:
        yield
    finally:
        bar.start()


def folded(text: str, width: int, command: Command | None = None, hanging: int = _HANGING) -> str:
    """Return a text broken between words where it is wider than `width` characters of a terminal.

    >>> print(folded("  2 refused: no such code", 16, Command("tidings template list")))
      2 refused: no
        such code
        tidings template list
    """
    first = text[: len(text) - len(text.lstrip(" "))]
    lines = [first]
    for word in _words(text, command):
        if not lines[-1].strip():
            lines[-1] += word
        elif cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(first + " " * hanging + word)
    return "\n".join(lines)


def _words(text: str, command: Command | None) -> list[str]:
    """Return what is never broken, in order; runs of spaces stay."""
    at_the_end = _COMMAND.search(text)
    prose = text if at_the_end is None else text[: at_the_end.start() - 1]
    words = prose.strip(" ").split(" ") + ([] if at_the_end is None else [at_the_end[0]])
    return words + ([] if command is None else [command.text, *command.remark.split()])


def _write(text: str, command: Command | None, hanging: int, stream: TextIO) -> None:
    console = Console(file=stream)
    with bar_away():
        if console.is_terminal:
            typer.echo(folded(text, console.width, command, hanging), stream)
        else:
            typer.echo(" ".join(str(one) for one in (text, command) if one), stream)
