"""A file of rows cut into parts of a batch job: the same file gives the same parts, so none is taken twice."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from typing_extensions import override

from api_adapter.batch_records import LONGEST_RECORD, RowFormat
from worker.contract.reprs import repr_without

_BYTES = 8 * 1024 * 1024
"""After which a part ends: half of what one may have."""
_ROWS = 50_000
UNKNOWN_FORMAT = "must end with .jsonl, .ndjson or .csv, with .gz or not"
"""What is wrong with a file's name where `format_of` gives None."""


class FilePart(NamedTuple):
    """A part of a file."""

    content: bytes
    """Never empty; of CSV it begins with the file's head."""
    shift: int
    """What a line of the part, but for the head, is further down in the file."""

    @override
    def __repr__(self) -> str:
        return repr_without(self, "content")


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


def parts_of(rows: RowFormat, stream: BinaryIO) -> Iterator[FilePart]:
    """Yield the parts of a file."""
    records = iter(stream) if rows is RowFormat.JSONL else _records(stream)
    head = next(records, b"") if rows is RowFormat.CSV else b""
    part, size, shift = [head], len(head), 0
    for record in records:
        part.append(record)
        size += len(record)
        if size >= _BYTES or len(part) > _ROWS:
            content = b"".join(part)
            yield FilePart(content, shift)
            shift += content.count(b"\n") - head.count(b"\n")
            part, size = [head], len(head)
    if len(part) > 1:
        yield FilePart(b"".join(part), shift)


def _records(stream: BinaryIO) -> Iterator[bytes]:
    """Yield records of CSV with their ends: a line break inside quotes ends none (RFC 4180).

    What is longer than a record may be is yielded as it is: whoever reads the part says what is wrong with it.
    """
    lines, size, quotes = list[bytes](), 0, 0
    for line in stream:
        lines.append(line)
        size += len(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0 or size > LONGEST_RECORD:
            yield b"".join(lines)
            lines, size, quotes = [], 0, 0
    if lines:
        yield b"".join(lines)
