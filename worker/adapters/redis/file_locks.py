"""Locks between processes: flock on a file, freed by the kernel when the last process that holds it is gone.

A lock belongs to the open file, which forked children share with their parent: closing leaves the lock to them,
releasing takes it from all of them at once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def open_lock(path: Path) -> int:
    """Return a descriptor to lock by, making the file if need be; programs that this process starts do not get it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def take_shared(lock: int) -> None:
    """Wait until no other open file holds the lock exclusively, then share it."""
    fcntl.flock(lock, fcntl.LOCK_SH)


def try_exclusive(lock: int) -> bool:
    """Take the lock for this open file alone; False where another one holds or shares it."""
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def release(lock: int) -> None:
    """Give the lock up, also for forked children that inherited it, and close the descriptor."""
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)


def is_held(path: Path) -> bool:
    """Tell whether anybody holds or shares the lock at this moment."""
    lock = open_lock(path)
    try:
        return not try_exclusive(lock)
    finally:
        os.close(lock)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Wait for the lock and keep it for the length of the block."""
    lock = open_lock(path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        release(lock)
