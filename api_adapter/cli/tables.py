"""Tables that stay readable on a terminal of any width: nothing is cut, and no id, time or URL is broken for room.

Without a terminal a row is one line, whatever is in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from api_adapter.cli.printing import harmless, screen

_NARROWEST: Final = 20
"""Characters that a folded text keeps."""
_EDGES, _BETWEEN = 1, 3
"""What the lines of a table take: once, and with each column."""

Row: TypeAlias = Sequence[Text]
Widths: TypeAlias = Mapping[int, int]
"""Characters of columns, by their place."""


def show_table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print rows under headings; texts may come from outside.

    What is wider than its terminal has its texts of several words folded. Where that is not enough each row is a block,
    a line a column that holds something.
    """
    console = screen()
    cells = [[cell if isinstance(cell, Text) else Text(harmless(cell)) for cell in row] for row in rows]
    if not console.is_terminal:
        console.print(_table(headings, cells, {}, Table(box=None, pad_edge=False)))
        return
    widths = _fitting(headings, cells, console.width)
    if widths is None:
        _show_blocks(console, headings, cells)
    else:
        console.print(_table(headings, cells, widths, Table()))


def _table(headings: Sequence[str], rows: Iterable[Row], widths: Widths, empty: Table) -> Table:
    for place, heading in enumerate(headings):
        empty.add_column(heading, overflow="fold", width=widths.get(place))
    for row in rows:
        empty.add_row(*row)
    return empty


def _fitting(headings: Sequence[str], rows: Sequence[Row], room: int) -> Widths | None:
    """Return how wide each column is; None where there is too little room for a table."""
    columns = [[Text(heading), *(row[place] for row in rows)] for place, heading in enumerate(headings)]
    wanted = [max(map(_longest_line, column)) for column in columns]
    room -= _EDGES + _BETWEEN * len(columns)
    if sum(wanted) <= room:
        return dict(enumerate(wanted))
    least = [_least(column, width) for column, width in zip(columns, wanted, strict=True)]
    spare = room - sum(least)
    if spare < 0:
        return None
    return dict(enumerate(_shared(least, wanted, spare)))


def _least(column: Iterable[Text], wanted: int) -> int:
    """Return how narrow a column may be: as its longest word, and where it holds texts not much narrower than prose."""
    longest_word = max((cell_len(word) for cell in column for word in cell.plain.split()), default=0)
    return min(wanted, max(longest_word, _NARROWEST))


def _shared(least: Sequence[int], wanted: Sequence[int], spare: int) -> list[int]:
    """Return the widths when spare room is shared evenly by the columns that want some."""
    widths = list(least)
    places = sorted(range(len(widths)), key=lambda place: wanted[place] - least[place])
    for turn, place in enumerate(places):
        more = min(spare // (len(places) - turn), wanted[place] - least[place])
        widths[place] += more
        spare -= more
    return widths


def _longest_line(cell: Text) -> int:
    return max(map(cell_len, cell.plain.split("\n")))


def _show_blocks(console: Console, headings: Sequence[str], rows: Sequence[Row]) -> None:
    for row in rows:
        block = Table.grid(Column(style="dim", no_wrap=True), Column(overflow="fold"), padding=(0, 2))
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain:
                block.add_row(heading, cell)
        console.print(block)
        console.print()
