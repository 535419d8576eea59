"""The frames of rows, lines of JSON or records of CSV, from pieces of bytes: never more in memory than one and a piece.

CSV is RFC 4180 in UTF-8, with a head.
"""

import codecs
import csv
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from worker.contract.errors import TidingsError
from worker.contract.send_fields import LARGEST_SEND

_LONGEST_LINE = LARGEST_SEND + len(b"\r\n")
LONGEST_RECORD = 4 * LARGEST_SEND
"""Bytes of a CSV record: quotes and head make it longer than the JSON it stands for, but not more than this."""
_SPACE = b" \t\r\n"

Pieces: TypeAlias = Iterable[bytes]


class RowFormat(StrEnum):
    """How a part is written; the texts are its media types."""

    JSONL = "application/x-ndjson"
    CSV = "text/csv"


class UnreadableRowsError(TidingsError):
    """A part is not what it says; the text names the row."""


class CsvRecord(NamedTuple):
    """One record of CSV; a blank line is one too."""

    number: int
    """From 1, which is the head, as spreadsheets show it."""
    cells: list[str]
    """None of a blank line."""
    written: bytes
    """As it stands there, with its end."""


def json_lines(pieces: Pieces) -> Iterator[tuple[int, bytes]]:
    """Yield lines without the space around them, each with its number; of one that is too long, only its beginning."""
    for number, line in enumerate(_lines(pieces, _LONGEST_LINE), 1):
        whole = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        # A line that was cut off keeps its length, so that intake sees that it is too large.
        yield number, whole if len(line) > _LONGEST_LINE else whole.strip(_SPACE)


def _lines(pieces: Pieces, most: int) -> Iterator[bytes]:
    """Yield lines with their ends; of one that is longer than `most` only its first `most + 1` bytes."""
    rest, skipping = b"", False
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if not skipping:
                yield line[: most + 1] if len(line) > most else line + b"\n"
            skipping = False
        if skipping:
            rest = b""
        elif len(rest) > most:
            yield rest[: most + 1]
            rest, skipping = b"", True
    if rest:
        yield rest


class _Lines:
    """Counts what csv's reader takes for one record: a quote that is never closed would take all that follows."""

    def __init__(self, pieces: Pieces) -> None:
        self._lines = _lines(pieces, LONGEST_RECORD)
        self._first = True
        self.written = b""
        """The lines of the record so far."""

    def begin(self) -> None:
        self.written = b""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.written = self.written + line if self.written else line
        if len(self.written) > LONGEST_RECORD:
            raise csv.Error(f"is longer than {LONGEST_RECORD} bytes, or its quotes are not closed")
        if self._first:
            line, self._first = line.removeprefix(codecs.BOM_UTF8), False
        return line.decode()


def csv_records(pieces: Pieces) -> Iterator[CsvRecord]:
    """Yield records; raise UnreadableRowsError for what is no CSV."""
    lines, number = _Lines(pieces), 0
    # Python's own 128 Ki would refuse the part for one cell: such a row is refused alone, as any that is too large.
    csv.field_size_limit(LONGEST_RECORD)
    reader = csv.reader(lines, strict=True)
    while True:
        number += 1
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError:
            raise UnreadableRowsError(f"row {number}: is not UTF-8") from None
        except csv.Error as error:
            raise UnreadableRowsError(f"row {number}: {error}") from None
        yield CsvRecord(number, cells, lines.written)
