"""The errors of a batch joined with the merchant's own files: which lines were rejected, as they stand there, and why.

A file is read once, from its beginning to its end, beside the errors, which come in the order of parts and rows. Memory
holds a part of up to 8 MiB, or of a file that is one part only a piece of it.
"""

import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from typing_extensions import override

from api_adapter.batch_files import UNKNOWN_FORMAT, format_of, opened, parts_of
from api_adapter.batch_records import Pieces, RowFormat, UnreadableRowsError
from api_adapter.client.batch_jobs import BatchError, BatchLint, PartFormat
from api_adapter.client.errors import JoinError
from api_adapter.client.join_outputs import Joined, JoinOutputs
from api_adapter.client.joined_rows import WrittenRow, rows_of
from worker.contract.reprs import repr_without

_PIECE = 64 * 1024
_OTHER_FILE = "give the file as it was uploaded, and the number of its first part"

_Split: TypeAlias = Callable[[RowFormat, BinaryIO], Iterator[tuple[Pieces, int]]]
"""Gives the parts of a file, and what a line of each is further down in the file."""


class PartsFile(NamedTuple):
    """A merchant's file, and which parts it is."""

    path: Path
    first: int
    """Number of its first part."""
    split: _Split


def cut_file(path: Path, first: int = 1) -> PartsFile:
    """Return a file that `tidings batch upload` or `Batch.upload_file` cut into parts."""
    return PartsFile(path, first, lambda form, stream: (((one.content,), one.shift) for one in parts_of(form, stream)))


def one_part(path: Path, number: int) -> PartsFile:
    """Return a file that was uploaded as one part."""
    return PartsFile(path, number, lambda _, stream: iter([(iter(partial(stream.read, _PIECE), b""), 0)]))


class UploadPart(NamedTuple):
    """A part of a file, as it is uploaded."""

    content: bytes
    written: PartFormat

    @override
    def __repr__(self) -> str:
        return repr_without(self, "content")


def file_parts(path: Path) -> Generator[UploadPart]:
    """Cut a file into parts: the same file is cut alike, so it may be uploaded again. Raises JoinError."""
    form = _format_of(path)
    with _told(), opened(path) as stream:
        for part in parts_of(form, stream):
            yield UploadPart(part.content, PartFormat(form.value))


def _format_of(path: Path) -> RowFormat:
    form = format_of(path)
    if form is None:
        raise JoinError(f"{path}: {UNKNOWN_FORMAT}")
    return form


class Joining:
    """Takes errors in their order, and writes what is rejected beside each file; nothing is there before `finish`."""

    def __init__(self, files: Iterable[PartsFile], lint: BatchLint) -> None:
        """Keep the files, and what the batch has of their parts."""
        self._uploaded: dict[int, Mapping[str, Any]] = {part["part"]: part for part in lint.parts}
        self._outputs: list[JoinOutputs] = []
        self._parts = self._parts_of(sorted(files, key=lambda file: file.first))
        self._part: _Part | None = None
        self.elsewhere = 0
        """Errors of parts that are in none of the files."""

    def begin(self) -> None:
        """Read the beginning of the first file. Raises JoinError."""
        with _told():
            self._part = next(self._parts, None)

    def close(self) -> None:
        """Leave nothing behind but what `finish` put where it belongs."""
        self._parts.close()
        for output in self._outputs:
            output.discard()

    def take(self, errors: Iterable[BatchError]) -> None:
        """Find the rows of errors. Raises JoinError."""
        with _told():
            for error in errors:
                while self._part is not None and self._part.number < error.part:
                    self._part = next(self._parts, None)
                if self._part is not None and self._part.number == error.part:
                    self._part.reject(error)
                else:
                    self.elsewhere += 1

    def finish(self) -> tuple[Joined, ...]:
        """Read what is left, and put the files where they belong, in the order of parts. Raises JoinError."""
        with _told():
            while self._part is not None:
                self._part = next(self._parts, None)
            for output in self._outputs:
                output.check()
            return tuple(output.publish() for output in self._outputs)

    def _refuse_names_taken(self, output: JoinOutputs) -> None:
        taken = {target for other in self._outputs for target in other.targets}
        for target in output.targets:
            if target in taken:
                raise JoinError(f"{target}: would be written about two of the files; join them one by one elsewhere")

    def _parts_of(self, files: Iterable[PartsFile]) -> Generator["_Part"]:
        last = 0
        for file in files:
            form = _format_of(file.path)
            output = JoinOutputs(file.path)
            self._refuse_names_taken(output)
            self._outputs.append(output)
            with opened(file.path) as stream:
                for number, (pieces, shift) in enumerate(file.split(form, stream), file.first):
                    if number <= last:
                        raise JoinError(f"{file.path}: would be part {number}, as another file is; {_OTHER_FILE}")
                    last = number
                    part = _Part(file.path, number, form, pieces, shift, output)
                    rows = self._rows(part)
                    yield part
                    part.end(rows)
            output.close()

    def _rows(self, part: "_Part") -> int:
        """Return how many rows the batch has of a part."""
        known = self._uploaded.get(part.number)
        if known is None:
            raise JoinError(f"{part.file}: would be part {part.number}, which the batch has not; {_OTHER_FILE}")
        if not known["done"]:
            raise JoinError(f"{part.file}: part {part.number} was not taken whole; upload it again, then join")
        return int(known["rows"])


class _Part:
    """One part of a file, read once."""

    def __init__(
        self, file: Path, number: int, form: RowFormat, pieces: Pieces, shift: int, output: JoinOutputs
    ) -> None:
        self.file = file
        self.number = number
        self._form = rows_of(form, pieces)
        self._rows = iter(self._form)
        self._shift = shift
        self._output = output
        self._read = 0

    def reject(self, error: BatchError) -> None:
        """Write the row of an error."""
        with self._as_uploaded():
            row = self._find(error.row)
        if row is None or (error.request_id and error.request_id != self._form.request_id(row)):
            raise JoinError(
                f"{self.file}: row {error.row} of part {self.number} is not the one that was rejected; {_OTHER_FILE}"
            )
        line = row.line + self._shift
        self._output.add(self._form.head, self._form.failed(row, line, error), line, error)

    def end(self, uploaded: int) -> None:
        """Read what is left, and make sure that it has as many rows as were uploaded."""
        with self._as_uploaded():
            self._read += sum(1 for _ in self._rows)
        if self._read != uploaded:
            raise JoinError(
                f"{self.file}: {self._read:,} rows would be part {self.number}, which was uploaded with {uploaded:,}; "
                f"{_OTHER_FILE}"
            )

    def _find(self, number: int) -> WrittenRow | None:
        for row in self._rows:
            self._read += 1
            if row.number >= number:
                return row if row.number == number else None
        return None

    @contextmanager
    def _as_uploaded(self) -> Iterator[None]:
        try:
            yield
        except UnreadableRowsError as error:
            raise JoinError(f"{self.file}: part {self.number}, {error}; {_OTHER_FILE}") from None


@contextmanager
def _told() -> Iterator[None]:
    """Raise JoinError for files that can't be read or written."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise JoinError(f"can't be read to its end ({error}); give the file as it was uploaded") from error
    except OSError as error:
        raise JoinError(f"{error.filename or 'a file'}: {error.strerror or error}") from error
