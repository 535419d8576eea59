"""Whether anything of a process group still runs, and so may hold files and locks."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_ENDED = frozenset("ZX")
_STATE, _GROUP, _THREADS = 0, 2, 17
"""Fields of /proc/<pid>/stat behind the process' name, which may hold anything (proc_pid_stat(5))."""


class _Process(NamedTuple):
    state: str
    group: int
    threads: int


def is_group_alive(group: int) -> bool:
    """Say whether a group has a process that is more than a zombie.

    A zombie has let go of everything; who has to wait for it may do so late, or, as many a container's first process,
    never. Where the system does not tell of zombies, they count.
    """
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return not _PROC.is_dir() or any(_lives(process) for process in _processes() if process.group == group)


def _lives(process: _Process) -> bool:
    # The first thread of a killed process may have ended before the others, with whom it shares its files.
    return process.state not in _ENDED or process.threads > 1


def _processes() -> Iterator[_Process]:
    for stat in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            yield _Process(fields[_STATE], int(fields[_GROUP]), int(fields[_THREADS]))
