"""The rows of a part of a merchant's file, as an error finds them: by number, and to be sure by requestId."""

import json
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from api_adapter.batch_records import Pieces, RowFormat, csv_records, json_lines
from api_adapter.client.batch_jobs import BatchError
from api_adapter.failed_lines import Refusal, failed_line

_REQUEST_ID = "requestId"


class WrittenRow(NamedTuple):
    """One row that is not blank, as the merchant wrote it. It holds a token and texts."""

    number: int
    """As the API counts rows of a part."""
    line: int
    """Where it begins, counted from the first line of the part."""
    written: bytes
    cells: list[str]
    """Of CSV."""


class WrittenRows(Protocol):
    """The rows of a part, from its beginning."""

    head: bytes
    """What stands before the rows, once one of them was read."""

    def __iter__(self) -> Iterator[WrittenRow]: ...

    def request_id(self, row: WrittenRow) -> str | None:
        """Return the requestId of a row that was read, None where it has none."""
        ...

    def failed(self, row: WrittenRow, line: int, error: BatchError) -> bytes:
        """Return a row to be corrected; `line` is where it stands in the file."""
        ...


def rows_of(form: RowFormat, pieces: Pieces) -> WrittenRows:
    """Return the rows of a part; reading them raises UnreadableRowsError."""
    return _CsvRows(pieces) if form is RowFormat.CSV else _JsonRows(pieces)


class _JsonRows:
    """Implements `WrittenRows` for JSON lines."""

    head = b""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[WrittenRow]:
        return (WrittenRow(number, number, line, []) for number, line in json_lines(self._pieces) if line)

    def request_id(self, row: WrittenRow) -> str | None:
        try:
            fields = json.loads(row.written)
        except (ValueError, RecursionError):
            return None
        found = fields.get(_REQUEST_ID) if isinstance(fields, dict) else None
        return found if isinstance(found, str) else None

    def failed(self, row: WrittenRow, line: int, error: BatchError) -> bytes:
        return failed_line(row.written, Refusal(line, error.result_code, error.result_message))


class _CsvRows:
    """Implements `WrittenRows` for CSV: what is given back is what was written, byte by byte."""

    def __init__(self, pieces: Pieces) -> None:
        self.head = b""
        self._pieces = pieces
        self._column = -1

    def __iter__(self) -> Iterator[WrittenRow]:
        line = 1
        for number, cells, written in csv_records(self._pieces):
            if number == 1:
                self._read_head(cells, written)
            elif cells:
                yield WrittenRow(number, line, written, cells)
            line += written.count(b"\n")

    def _read_head(self, cells: list[str], written: bytes) -> None:
        names = [cell.strip() for cell in cells]
        self._column = names.index(_REQUEST_ID) if _REQUEST_ID in names else len(names)
        self.head = written

    def request_id(self, row: WrittenRow) -> str | None:
        return row.cells[self._column] if self._column < len(row.cells) else None

    def failed(self, row: WrittenRow, line: int, error: BatchError) -> bytes:
        del line, error  # a column more would be no column of the merchant's
        # The last record of a file may have no end.
        end = b"\r\n" if self.head.endswith(b"\r\n") else b"\n"
        return row.written if row.written.endswith(b"\n") else row.written + end
