"""A file of rows cut into parts of a batch job: the same file gives the same parts, so none is taken twice."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from api_adapter.batch_rows import RowFormat

_BYTES = 8 * 1024 * 1024
"""After which a part ends: half of what one may have."""
_ROWS = 50_000


def format_of(path: Path) -> RowFormat | None:
    """Return how a file is written, by its name; None where that does not tell."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        return RowFormat.CSV
    return RowFormat.JSONL if name.endswith((".jsonl", ".ndjson")) else None


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Give what a file holds, decompressed where its name ends with .gz; raise OSError or EOFError."""
    with path.open("rb") as file:
        if path.suffix == ".gz":
            with gzip.open(file) as content:
                yield cast("BinaryIO", content)
        else:
            yield file


def parts_of(rows: RowFormat, stream: BinaryIO) -> Iterator[bytes]:
    """Yield parts, none of them empty; each of CSV has the head."""
    records = iter(stream) if rows is RowFormat.JSONL else _records(stream)
    head = next(records, b"") if rows is RowFormat.CSV else b""
    part, size = [head], len(head)
    for record in records:
        part.append(record)
        size += len(record)
        if size >= _BYTES or len(part) > _ROWS:
            yield b"".join(part)
            part, size = [head], len(head)
    if len(part) > 1:
        yield b"".join(part)


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """Yield records of CSV with their ends: a line break inside quotes ends none (RFC 4180)."""
    record = b""
    for line in stream:
        record += line
        if record.count(b'"') % 2 == 0 or len(record) > _BYTES:
            yield record
            record = b""
    if record:
        yield record
