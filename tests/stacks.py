"""`tidings` commands as users run them, and what is left of them afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from redis import Redis
from redis.exceptions import RedisError

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds: machines that run this are shared."""


class Command:
    """A running `tidings` command."""

    def __init__(
        self,
        data_dir: Path,
        arguments: tuple[str, ...],
        settings: Mapping[str, object],
        module: str = "api_adapter",
    ) -> None:
        self.data_dir = data_dir
        self._out = data_dir.with_name(f"{data_dir.name}-{time.monotonic_ns()}.out")
        self._err = self._out.with_suffix(".err")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
        environ |= {f"TIDINGS_{name.upper()}": str(value) for name, value in settings.items()}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *arguments],
                env={**environ, "TIDINGS_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
                cwd=data_dir.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def until_printed(self, text: str) -> None:
        wait_until(lambda: text in self.stdout + self.stderr or self.process.poll() is not None, text)
        assert text in self.stdout + self.stderr, self.stdout + self.stderr

    def interrupt(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        return self.process.wait(PATIENCE)

    def stopped_by(self, number: signal.Signals) -> int:
        self.interrupt(number)
        return self.ended()

    @property
    def note(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(next(self.data_dir.rglob("stack.json")).read_text())
        return found

    @property
    def api(self) -> str:
        return str(self.note["urls"]["api"])

    @property
    def gateway(self) -> str:
        return str(self.note["urls"]["gateway"])

    def pid_of(self, part: str) -> int:
        return int(self.note["processes"][part])

    def family(self) -> set[int]:
        """The process ids of the command, all its descendants and its Valkey."""
        servers = [json.loads(file.read_text())["pid"] for file in self.data_dir.rglob("valkey.json")]
        return {self.process.pid, *descendants(self.process.pid), *servers}


@contextmanager
def tidings(data_dir: Path, *arguments: str, **settings: object) -> Iterator[Command]:
    """Run a command with these settings and no others; it is ended with all its parts, should a test fail.

    However it ended, the ledger that it leaves must be sound.
    """
    command = Command(data_dir, arguments, settings)
    try:
        yield command
    finally:
        family = command.family() if command.process.poll() is None else set()
        if family:
            command.interrupt(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                command.process.wait(PATIENCE)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        command.process.wait()
    check_ledgers(data_dir, settings)


def check_ledgers(data_dir: Path, settings: Mapping[str, object]) -> None:
    """Prove the ledger of a Redis that still answers, or each that an embedded Valkey kept below a directory."""
    if "redis_url" in settings:
        places = {data_dir} if _answers(str(settings["redis_url"])) else set()
    else:
        places = {log.parent.parent for log in data_dir.rglob("valkey/valkey.log")}
    for place in places:
        check = Command(place, ("ledger", "check"), settings)
        assert check.ended() == 0, check.stdout + check.stderr


def _answers(redis_url: str) -> bool:
    with Redis.from_url(redis_url) as server, suppress(RedisError):
        return bool(server.ping())
    return False


def wait_until(condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.05)


def _processes() -> Iterator[tuple[int, int, str]]:
    listed = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid=,stat="], text=True)  # noqa: S607 - wherever it lies
    for line in listed.splitlines():
        pid, parent, state = line.split()[:3]
        yield int(pid), int(parent), state


def children(pid: int) -> set[int]:
    return {child for child, parent, state in _processes() if parent == pid and not state.startswith("Z")}


def descendants(pid: int) -> set[int]:
    found = children(pid)
    return found.union(*(descendants(child) for child in found))


def running(pids: set[int]) -> set[int]:
    """Those of the process ids that still run; a dead one that nobody waited for does not."""
    return {pid for pid, _, state in _processes() if pid in pids and not state.startswith("Z")}


def get(url: str) -> Any:  # noqa: ANN401 - whatever is answered
    return _answer(Request(url))  # noqa: S310 - a server of the test's own


def post(url: str, body: object, client_id: str = "sandbox") -> Any:  # noqa: ANN401 - whatever is answered
    headers = {"Client-Id": client_id, "Content-Type": "application/json"}
    return _answer(Request(url, json.dumps(body).encode(), headers))  # noqa: S310 - as above


def _answer(request: Request) -> Any:  # noqa: ANN401 - whatever is answered
    with urlopen(request, timeout=PATIENCE) as response:  # noqa: S310 - as above
        return json.loads(response.read())
