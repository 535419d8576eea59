"""What a join writes beside a merchant's file: there as a whole, or not at all."""

import csv
import filecmp
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from api_adapter.client.batch_jobs import BatchError
from api_adapter.client.errors import JoinError

COLUMNS = ("line", "part", "row", "requestId", "resultCode", "resultMessage")
"""Of FILE.errors.csv."""
OWNER_ALONE = 0o600


class Joined(NamedTuple):
    """What was rejected of a file."""

    file: Path
    rejected: int
    """Rows."""
    failed: Path | None
    """The rejected rows as they were written, in order, to be corrected and uploaded; None: there are none.

    It holds tokens, so its owner alone may read it.
    """
    errors: Path | None
    """CSV: of each of them the line of the file, and why."""


class JoinOutputs:
    """The two files about one file, in a hidden directory beside it until they are published."""

    def __init__(self, file: Path) -> None:
        """Name them after the file; nothing is written before there is something to write."""
        base = Path(file.name.removesuffix(".gz"))
        self._file = file
        self.targets = (
            file.with_name(f"{base.stem}.failed{base.suffix}"),
            file.with_name(f"{base.stem}.errors.csv"),
        )
        """What was rejected, and why; nothing else may have these names."""
        self._rejected = 0
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._opened = ExitStack()
        self._writing: _Writing | None = None

    def add(self, head: bytes, failed: bytes, line: int, error: BatchError) -> None:
        """Write a rejected row; `head` stands before the first."""
        if self._writing is None:
            self._writing = self._begin(head)
        self._rejected += 1
        self._writing.failed.write(failed)
        csv.writer(self._writing.errors, lineterminator="\n").writerow(
            (line, error.part, error.row, error.request_id or "", error.result_code, error.result_message)
        )

    def _begin(self, head: bytes) -> "_Writing":
        directory = tempfile.TemporaryDirectory(prefix=f".{self._file.name}.", dir=self._file.parent)
        self._directory = directory
        failed, errors = (Path(directory.name, target.name) for target in self.targets)
        writing = _Writing(
            self._opened.enter_context(os.fdopen(os.open(failed, os.O_WRONLY | os.O_CREAT, OWNER_ALONE), "wb")),
            self._opened.enter_context(errors.open("w", encoding="utf-8", newline="")),
        )
        writing.failed.write(head)
        csv.writer(writing.errors, lineterminator="\n").writerow(COLUMNS)
        return writing

    def close(self) -> None:
        """Have all of it on the disk. Raises OSError."""
        for file in self._writing or ():
            file.flush()
            os.fsync(file.fileno())
        self._opened.close()

    def check(self) -> None:
        """Raise JoinError where publishing would overwrite what may be the merchant's work."""
        for spare, target in self._moves():
            if target.exists() and not filecmp.cmp(spare, target, shallow=False):
                raise JoinError(f"{target}: is there with something else in it, perhaps your corrections; move it away")

    def publish(self) -> Joined:
        """Put the files where they belong. Raises OSError."""
        for spare, target in self._moves():
            spare.replace(target)
        failed, errors = self.targets if self._rejected else (None, None)
        return Joined(self._file, self._rejected, failed, errors)

    def discard(self) -> None:
        """Leave nothing behind but what was published."""
        self._opened.close()
        if self._directory is not None:
            self._directory.cleanup()

    def _moves(self) -> Iterator[tuple[Path, Path]]:
        if self._directory is not None:
            for target in self.targets:
                yield Path(self._directory.name, target.name), target


class _Writing(NamedTuple):
    failed: BinaryIO
    errors: IO[str]
