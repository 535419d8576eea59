"""What the rows of a part say, as sends that nobody has judged.

An empty cell of CSV is an absent field, so that no text with a hole is sent.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Sized
from typing import Any, NamedTuple, TypeAlias

from typing_extensions import override

from api_adapter.batch_records import Pieces, RowFormat, UnreadableRowsError, csv_records, json_lines
from api_adapter.reading import Unread
from worker.contract.batch_jobs import MAX_PART_ROWS, Extent
from worker.contract.codes import Result, ResultCode
from worker.contract.reprs import repr_without

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


class Row(NamedTuple):
    """One row that is not blank."""

    number: int
    """From 1, blank ones counted; of CSV the head is row 1, as spreadsheets show it."""
    send: Unread | Result
    """What is to be judged, or why it can't be."""
    size: int = 0
    """Bytes of a line, characters of the cells of a record."""

    @override
    def __repr__(self) -> str:
        return repr_without(self, "send")


def measure_rows(rows: RowFormat, pieces: Pieces) -> Extent:
    """Return how many rows there are; raise UnreadableRowsError for what can't be read to its end, or is too much."""
    found = last = 0
    frames: Iterator[tuple[int, Sized]] = (
        json_lines(pieces)
        if rows is RowFormat.JSONL
        else ((record.number, record.cells) for record in csv_records(pieces))
    )
    for number, frame in frames:
        if number > MAX_PART_ROWS:
            raise UnreadableRowsError(f"has more than {MAX_PART_ROWS} rows; upload more parts")
        if frame:
            found, last = found + 1, number
    return Extent(max(0, found - 1) if rows is RowFormat.CSV else found, last)


def read_rows(rows: RowFormat, pieces: Pieces) -> Iterator[Row]:
    """Yield the rows of a part that `measure_rows` could read."""
    if rows is RowFormat.JSONL:
        return (Row(number, line, len(line)) for number, line in json_lines(pieces) if line)
    return _csv_rows(pieces)


Fill: TypeAlias = Callable[[dict[str, Any], dict[str, dict[str, str]], str], None]
"""Puts a cell into the fields of a send, or into the parameters of its languages."""


class _Head(NamedTuple):
    fills: Sequence[Fill | None]
    ignored: tuple[str, ...]


def ignored_columns(pieces: Pieces) -> tuple[str, ...]:
    """Return the columns of a CSV part that mean nothing; raise UnreadableRowsError for a head that can't be used."""
    for record in csv_records(pieces):
        return _head(record.cells).ignored
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
    records = csv_records(pieces)
    head = next((_head(record.cells) for record in records), None)
    if head is None:
        return
    for number, cells, _ in records:
        if cells:
            send = _fields(head, cells) if len(cells) == len(head.fills) else _RAGGED
            yield Row(number, send, sum(map(len, cells)))


def _fields(head: _Head, cells: Sequence[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    parameters: dict[str, dict[str, str]] = {}
    for fill, cell in zip(head.fills, cells, strict=True):
        if fill is not None and cell:
            fill(fields, parameters, cell)
    language, own = fields.pop(_LANGUAGE, None), parameters.pop("", {})
    templates = [{"language": language, "templateParameters": own}] if own or language else []
    templates += [{"language": named, "templateParameters": texts} for named, texts in parameters.items()]
    return fields | {"templates": templates} if templates else fields
