"""Files that grow while sends are made, and are cut back to what a checkpoint knows of them."""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from worker.contract.errors import TidingsError

OWNER_ALONE = 0o600


class OutputError(TidingsError):
    """A file can't be written; the text says which, and what to do."""


class Output:
    """One such file. What is no regular file, such as /dev/null, is written to and nothing else."""

    def __init__(self, path: Path, mode: int = 0o644) -> None:
        """Open the file, made if need be; what it holds stays until `begin`. Raises OSError."""
        self.path = path
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode), "wb")
        self._is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        if self._is_regular and mode == OWNER_ALONE:
            os.fchmod(self._file.fileno(), mode)
        self.size = 0

    def lock(self) -> None:
        """Keep the file to this process; raise OutputError where another one has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"{self.path}: another `tidings send` writes it; wait for its end") from error

    def begin(self, size: int) -> None:
        """Go on after the first `size` bytes; the rest is forgotten. Raises OutputError where it has fewer."""
        if not self._is_regular:
            return
        if os.fstat(self._file.fileno()).st_size < size:
            raise OutputError(f"{self.path}: has less in it than it had; run without --resume to begin anew")
        self._file.truncate(size)
        self._file.seek(size)
        self.size = size

    def write(self, rows: bytes) -> None:
        """Write some rows, so that whoever reads the file sees them."""
        self._file.write(rows)
        self._file.flush()
        self.size += len(rows)

    def sync(self) -> None:
        """Have everything on the disk."""
        if self._is_regular:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; what the disk refused was told by `write` already."""
        with suppress(OSError):
            self._file.close()

    def remove_if_empty(self) -> None:
        """Leave no file behind that has nothing in it."""
        if self._is_regular and not os.fstat(self._file.fileno()).st_size:
            self.path.unlink(missing_ok=True)
