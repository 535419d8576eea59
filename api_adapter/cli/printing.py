"""How verbs print: plain lines, JSON for programs, and the parts of tables."""

import json
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from worker.contract.moments import moment_text

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

STYLES = {"S": "green", "U": "yellow", "F": "red"}
"""The colour of each status."""
_UNBOUNDED = 10_000
"""Characters of a line where no terminal sets an end: one entry is one line, whatever is in it."""
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))


def screen() -> Console:
    """Return standard output: as wide as its terminal, or without colours and line breaks where it is none."""
    console = Console(markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        return console
    return Console(markup=False, emoji=False, highlight=False, width=_UNBOUNDED)


def stacked(parts: Iterable[str]) -> Text:
    """Return a cell of several parts: one below the other on a terminal, one line elsewhere."""
    return Text(("\n" if Console().is_terminal else ", ").join(map(harmless, parts)))


def counted(number: int, noun: str) -> str:
    """Return `1 attempt` or `2 attempts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_json(data: object) -> None:
    """Print data as indented JSON."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2))


def harmless(text: str) -> str:
    """Return a text from outside without the control characters that could move a terminal's cursor."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def utc(milliseconds: int | None) -> str:
    """Return a time since 1970 as ISO 8601, or nothing for None."""
    return "" if milliseconds is None else moment_text(milliseconds)


def period(milliseconds: int) -> str:
    """Return a duration in the largest unit that divides it, as `arguments.duration` reads it."""
    for unit, size in _UNITS:
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def elapsed(milliseconds: int) -> str:
    """Return how long something took, to three figures or so: `87 ms`, `4.21 s`, `12 min 5 s`, `3 d 4 h`."""
    seconds = milliseconds / 1000
    hours = int(seconds) // 3_600
    if milliseconds < 1_000:  # noqa: PLR2004 - a second
        return f"{milliseconds} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.3g} s"
    if not hours:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {int(seconds) // 60 % 60} min"  # noqa: PLR2004 - a day
