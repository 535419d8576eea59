"""The rows of a part, JSON lines or CSV, from pieces of bytes: never more in memory than one row and one piece.

CSV is RFC 4180 in UTF-8, with a head. An empty cell is an absent field, so that no text with a hole is sent.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from api_adapter.reading import MAX_BODY, Unread
from worker.contract.batch_jobs import MAX_PART_ROWS, Extent
from worker.contract.codes import Result, ResultCode
from worker.contract.errors import TidingsError

_LONGEST_LINE = MAX_BODY + len(b"\r\n")
LONGEST_RECORD = 4 * MAX_BODY
"""Bytes of a CSV record: quotes and head make it longer than the JSON it stands for, but not more than this."""
_SPACE = b" \t\r\n"
_REQUIRED = ("requestId", "accessToken")
_FIELDS = frozenset(
    {
        *_REQUIRED,
        "appId",
        "templateCode",
        "redirectUrl",
        "actionUrl",
        "extendInfo",
        "customerBelongsTo",
        "sendAt",
        "expireAt",
    }
)
_LANGUAGE = "language"
_PARAMETER = re.compile(r"p\.(?:([A-Za-z0-9_-]{1,64})\.)?([A-Za-z_][A-Za-z0-9_]{0,63})")
_RAGGED = Result.refused(ResultCode.PARAM_ILLEGAL, "$: has not as many cells as the head")

Pieces: TypeAlias = Iterable[bytes]


class RowFormat(StrEnum):
    """How a part is written; the texts are its media types."""

    JSONL = "application/x-ndjson"
    CSV = "text/csv"


class Row(NamedTuple):
    """One row that is not blank."""

    number: int
    """From 1, blank ones counted; of CSV the head is row 1, as spreadsheets show it."""
    send: Unread | Result
    """What is to be judged, or why it can't be."""
    size: int = 0
    """Bytes of a line, characters of the cells of a record."""


class UnreadableRowsError(TidingsError):
    """A part is not what it says; the text names the row."""


def measure_rows(rows: RowFormat, pieces: Pieces) -> Extent:
    """Return how many rows there are; raise UnreadableRowsError for what can't be read to its end, or is too much."""
    found = last = 0
    numbers = _json_lines(pieces) if rows is RowFormat.JSONL else _records(pieces)
    for number, line in numbers:
        if number > MAX_PART_ROWS:
            raise UnreadableRowsError(f"has more than {MAX_PART_ROWS} rows; upload more parts")
        if line:
            found, last = found + 1, number
    return Extent(max(0, found - 1) if rows is RowFormat.CSV else found, last)


def read_rows(rows: RowFormat, pieces: Pieces) -> Iterator[Row]:
    """Yield the rows of a part that `measure_rows` could read."""
    if rows is RowFormat.JSONL:
        return (Row(number, line, len(line)) for number, line in _json_lines(pieces) if line)
    return _csv_rows(pieces)


def _json_lines(pieces: Pieces) -> Iterator[tuple[int, bytes]]:
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


class _Record:
    """Counts what csv's reader takes for one record: a quote that is never closed would take all that follows."""

    def __init__(self, pieces: Pieces) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._lines = _lines(pieces, LONGEST_RECORD)
        self._size = 0
        self._first = True

    def begin(self) -> None:
        self._size = 0

    def __iter__(self) -> "_Record":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if self._first:
            line, self._first = line.removeprefix(codecs.BOM_UTF8), False
        self._size += len(line)
        if self._size > LONGEST_RECORD:
            raise csv.Error(f"is longer than {LONGEST_RECORD} bytes, or its quotes are not closed")
        return line.decode()


def _records(pieces: Pieces) -> Iterator[tuple[int, list[str]]]:
    record, number = _Record(pieces), 0
    reader = csv.reader(record, strict=True)
    while True:
        number += 1
        record.begin()
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError:
            raise UnreadableRowsError(f"row {number}: is not UTF-8") from None
        except csv.Error as error:
            raise UnreadableRowsError(f"row {number}: {error}") from None


Fill: TypeAlias = Callable[[dict[str, Any], dict[str, dict[str, str]], str], None]
"""Puts a cell into the fields of a send, or into the parameters of its languages."""


class _Head(NamedTuple):
    fills: Sequence[Fill | None]
    ignored: tuple[str, ...]


def ignored_columns(pieces: Pieces) -> tuple[str, ...]:
    """Return the columns of a CSV part that mean nothing; raise UnreadableRowsError for a head that can't be used."""
    for _, cells in _records(pieces):
        return _head(cells).ignored
    raise UnreadableRowsError("row 1: the head is missing")


def _head(cells: Sequence[str]) -> _Head:
    names = [cell.strip() for cell in cells]
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise UnreadableRowsError(f"row 1: the head lacks the column {missing[0]}")
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise UnreadableRowsError(f"row 1: column {names.index(twice) + 1} is there twice")
    fills = [_fill(name, column) for column, name in enumerate(names, 1)]
    return _Head(fills, tuple(name for name, fill in zip(names, fills, strict=True) if fill is None))


def _fill(name: str, column: int) -> Fill | None:
    if name in _FIELDS or name == _LANGUAGE:

        def field(fields: dict[str, Any], _parameters: dict[str, dict[str, str]], cell: str) -> None:
            fields[name] = cell

        return field
    if not name.startswith("p."):
        return None
    read = _PARAMETER.fullmatch(name)
    if read is None:
        raise UnreadableRowsError(f"row 1: column {column} must be p.<name> or p.<language>.<name>")
    language, parameter = read[1] or "", read[2]

    def parameter_of(_fields: dict[str, Any], parameters: dict[str, dict[str, str]], cell: str) -> None:
        parameters.setdefault(language, {})[parameter] = cell

    return parameter_of


def _csv_rows(pieces: Pieces) -> Iterator[Row]:
    records = _records(pieces)
    head = next((_head(cells) for _, cells in records), None)
    if head is None:
        return
    for number, cells in records:
        if cells:
            send = _fields(head, cells) if len(cells) == len(head.fills) else _RAGGED
            yield Row(number, send, sum(map(len, cells)))


def _fields(head: _Head, cells: Sequence[str]) -> Mapping[str, Any]:
    fields: dict[str, Any] = {}
    parameters: dict[str, dict[str, str]] = {}
    for fill, cell in zip(head.fills, cells, strict=True):
        if fill is not None and cell:
            fill(fields, parameters, cell)
    language, own = fields.pop(_LANGUAGE, None), parameters.pop("", {})
    templates = [{"language": language, "templateParameters": own}] if own or language else []
    templates += [{"language": named, "templateParameters": texts} for named, texts in parameters.items()]
    return fields | {"templates": templates} if templates else fields
