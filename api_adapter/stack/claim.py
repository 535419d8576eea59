"""One stack a data directory: a lock that its parts hold too, and a file that names their processes.

A stack whose starter was killed leaves its parts running. They keep the lock, so the next start tells of them instead
of running beside them.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from worker.contract.errors import TidingsError


class StackRunsError(TidingsError):
    """A stack, or a part of one that was killed, runs in the data directory; the text names its processes."""


class Claim:
    """This process' hold on a data directory."""

    def __init__(self, data_dir: Path, lock: int) -> None:
        """Keep the locked descriptor, which parts inherit."""
        self.lock = lock
        self._note = _note(data_dir)

    def note(self, processes: Mapping[str, int], urls: Mapping[str, str]) -> None:
        """Write down what runs: process ids and URLs by the parts' names."""
        self._note.write_text(json.dumps({"processes": dict(processes), "urls": dict(urls)}, indent=2) + "\n")


@contextmanager
def claimed(data_dir: Path) -> Iterator[Claim]:
    """Hold the data directory, made if need be, for the stack of this process.

    Raises StackRunsError where another one has it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(data_dir / "stack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(data_dir, lock)
        try:
            yield Claim(data_dir, lock)
        finally:
            _note(data_dir).unlink(missing_ok=True)
    finally:
        os.close(lock)


def _take(data_dir: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StackRunsError(
            f"a stack runs in {data_dir}{_told(data_dir)}; use that one, or stop it with Ctrl-C in its terminal. "
            "Set TIDINGS_DATA_DIR for a second one beside it.",
        ) from error


def _told(data_dir: Path) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        processes = json.loads(_note(data_dir).read_text())["processes"]
        named = ", ".join(f"{name} {pid}" for name, pid in processes.items())
        return f" (processes: {named}; `kill` ends those that a killed stack left)"
    return ""


def _note(data_dir: Path) -> Path:
    return data_dir / "stack.json"
