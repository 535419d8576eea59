"""Directories of one run, below the data directory."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def new_directory(parent: Path) -> Path:
    """Return a fresh directory that only its owner can read."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="run-", dir=parent))


def remove(directory: Path) -> None:
    """Remove a run's directory with all that is in it, and its parent once no run is left there."""
    shutil.rmtree(directory)
    with suppress(OSError):
        directory.parent.rmdir()
