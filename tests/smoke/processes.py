"""A local process that looks to pytest-celery like a container, for machines without a Docker engine."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.servers import HOST

_STOP = 60


@dataclass(frozen=True, slots=True)
class Program:
    """What a process-backed node runs."""

    name: str
    arguments: Sequence[str]
    directory: Path
    environ: Mapping[str, str]
    port: int = 0
    """Where it listens; 0: nowhere."""


class ProcessHandle:
    """Implements what pytest-docker-tools' wrapper asks of `docker.models.containers.Container`."""

    def __init__(self, program: Program) -> None:
        """Start it, in a process group of its own."""
        self.program = program
        self.id = uuid4().hex
        self.name = f"{program.name}-{self.id[:6]}"
        self.attrs: dict[str, Any] = {
            "Config": {"Hostname": HOST, "Env": [f"{name}={text}" for name, text in program.environ.items()]},
            "NetworkSettings": {"Networks": {}, "Ports": {}},
            "HostConfig": {"PortBindings": {}},
        }
        self._log = program.directory / f"{self.name}.log"
        self.start()

    @property
    def status(self) -> str:
        return "running" if self._process.poll() is None else "exited"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                list(self.program.arguments),
                cwd=self.program.directory,
                env=dict(self.program.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def reload(self) -> None:
        """Do nothing: a process has no cached state."""

    def logs(self, **_: object) -> bytes:
        return self._log.read_bytes()

    def kill(self, number: str | int | None = None) -> None:
        """Signal the process, as Docker signals a container's first one; SIGKILL takes all of them, as there."""
        wanted = signal.Signals[number] if isinstance(number, str) else signal.Signals(number or signal.SIGKILL)
        if wanted is not signal.SIGKILL:
            self._process.send_signal(wanted)
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, wanted)
        self._process.wait()

    def wait(self, **_: object) -> dict[str, int]:
        return {"StatusCode": self._process.wait(_STOP)}

    def stop(self, **_: object) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP)
        self.kill()

    def restart(self, **_: object) -> None:
        self.stop()
        self.start()
