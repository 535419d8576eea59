"""One part of a stack: a process that leads a group of its own, from start to its end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from api_adapter.stack.process_groups import is_group_alive
from worker.contract.errors import TidingsError

_INSTANT = 0.002
_GLANCE = 0.05
"""Seconds between two looks at a process."""
_BURIAL = 3.0
"""Seconds that what was killed may take to be gone."""
_TAIL_LINES = 15
_TAIL_BYTES = 64 * 1024
_PYTHON = (sys.executable, "-P", "-m")
"""-P: what lies in the directory that a user happens to be in is not ours to import."""

IsReady = Callable[[], Awaitable[bool]]


class PartError(TidingsError):
    """A part of the stack died or never got ready; the text ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run as a part."""

    name: str
    command: tuple[str, ...]
    """Such as `tidings` or `celery` below return it."""
    environ: Mapping[str, str]
    log: Path
    """Everything that it writes; the log of the run before is kept as `<name>.log.1`."""
    grace: float
    """Seconds that it may take to stop."""


def tidings(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a `tidings` command."""
    return (*_PYTHON, "api_adapter", *arguments)


def celery(*arguments: str) -> tuple[str, ...]:
    """Return the command line of a `celery` command."""
    return (*_PYTHON, "celery", *arguments)


class Part:
    """A running part. It leads a process group, so that a Ctrl-C in the terminal reaches its starter alone."""

    def __init__(self, program: Program, inherited: int) -> None:
        """Start it; it and its children keep the descriptor `inherited` open."""
        self.name = program.name
        self.log = program.log
        self._program = program
        self._inherited = inherited
        _make_way(program.log)
        with program.log.open("wb") as log:
            self._process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(program.environ),
                start_new_session=True,
                pass_fds=[inherited],
            )

    @property
    def pid(self) -> int:
        """Process id, and id of the process group."""
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Return the exit code once the process ended; blocks."""
        return self._process.wait()

    def again(self) -> "Part":
        """Start the same program once more."""
        return Part(self._program, self._inherited)

    def check(self) -> None:
        """Raise PartError if it ended."""
        code = self._process.poll()
        if code is not None:
            raise PartError(f"the {self.name} ended by itself ({_ending(code)}){tail_of(self.log)}")

    async def until_ready(self, is_ready: IsReady, patience: float) -> None:
        """Return once it is ready; raise PartError if it ends first or takes more than `patience` seconds."""
        deadline = asyncio.get_running_loop().time() + patience
        while not await is_ready():
            self.check()
            if asyncio.get_running_loop().time() > deadline:
                raise PartError(f"the {self.name} was not ready within {patience:g} s{tail_of(self.log)}")
            await asyncio.sleep(_GLANCE)

    async def stop(self, impatient: asyncio.Event) -> bool:
        """Ask it to end, and kill it where the grace runs out or `impatient` is set; say whether it ended by itself.

        What it leaves of its process group is killed in any case.
        """
        deadline = asyncio.get_running_loop().time() + self._program.grace
        if self.runs:
            self._process.terminate()
        while self.runs and not impatient.is_set() and asyncio.get_running_loop().time() < deadline:
            with suppress(TimeoutError):
                await asyncio.wait_for(impatient.wait(), _GLANCE)
        ended = not self.runs
        self.kill()
        return ended

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and its whole process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it and what is left of its process group at once; return once all of them are gone, and so their locks.

        A killed process keeps its locks until its memory is given back, and whoever shares them would go on counting on
        it: an embedded Valkey is stopped by the last that leaves.
        """
        self.send(signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + _BURIAL
        while is_group_alive(self.pid) and time.monotonic() < deadline:
            time.sleep(_INSTANT)


def tail_of(log: Path) -> str:
    """Return the end of a log as the end of an error's text; empty where there is none."""
    with suppress(OSError), log.open("rb") as written:
        written.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = written.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return "".join([f"; the end of {log}:", *(f"\n    {line}" for line in lines)])
    return ""


def _make_way(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        log.replace(log.with_suffix(".log.1"))


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
