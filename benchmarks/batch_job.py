"""A batch job of up to 1,000,000 rows: how fast its parts are taken, and what memory that takes.

    python benchmarks/batch_job.py --rows 1000000

Serves the API on a Valkey of its own (AOF, as users get it), uploads JSON lines in parts, runs, pauses and cancels the
batch, and watches the resident memory of the server's processes all the while. Prints one JSON object.
"""

import argparse
import asyncio
import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
from redis import Redis

from worker.adapters.redis.embedded import EmbeddedValkey
from worker.bootstrap import Addresses, services
from worker.contract.templates import Content, TemplateDefinition
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.settings import Settings

HOST, APP, BATCH = "127.0.0.1", "shop", "million"
ROOT = "/v2/miniprogram/message/batches/"
USERS = 1_000
_SECRET = "of the benchmark, at least 16 characters"  # noqa: S105 - it guards nothing
_COMMON = {"templateCode": "PAYMENT_NOTICE", "redirectUrl": "/orders"}
_MIB = 1024 * 1024


class Memory:
    """Watches the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        """Start to watch."""
        self._process = psutil.Process(pid)
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self) -> int:
        """Return bytes."""
        return sum(one.memory_info().rss for one in (self._process, *self._process.children(recursive=True)))

    def end(self) -> int:
        """Return the most that was seen, in bytes."""
        self._stop.set()
        self._thread.join()
        return self.peak

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, self.now())


def lines(first: int, number: int) -> bytes:
    """Return rows of one part."""
    return b"".join(map(_line, range(first, first + number)))


def _line(index: int) -> bytes:
    parameters = {"who": "A customer", "number": f"{index}"}
    templates = [{"language": "en-US", "templateParameters": parameters}]
    send = {"requestId": f"order-{index}", "accessToken": f"token-{index % USERS}", "templates": templates}
    return json.dumps(send).encode() + b"\n"


def call(port: int, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """Return the answer to one call; raise RuntimeError unless it is S."""
    connection = http.client.HTTPConnection(HOST, port, timeout=600)
    connection.request("POST", ROOT + path, body, {"Client-Id": "benchmark", **headers})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    if answer["result"]["resultStatus"] != "S":
        raise RuntimeError(str(answer["result"]))
    return answer


def ask(port: int, verb: str, **fields: object) -> dict[str, Any]:
    """Return the answer to a call about the batch."""
    body = json.dumps({"appId": APP, "batchId": BATCH, **fields}).encode()
    return call(port, verb, body, {"Content-Type": "application/json"})


def upload(port: int, part: int, content: bytes) -> dict[str, Any]:
    """Upload a part, compressed."""
    body = gzip.compress(content, 1)
    query = f"appId={APP}&batchId={BATCH}&part={part}&sha256={sha256(body).hexdigest()}"
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    return call(port, f"parts?{query}", body, headers)


async def furnish(url: str) -> None:
    """Put what the rows need."""
    async with services(
        Settings.model_validate({"redis_url": url, "token_secret": _SECRET}), Addresses(url, url)
    ) as found:
        await found.ledger.open()
        grants = [
            (f"token-{n}", TokenGrant(User(f"customer-{n}", "GCASH"), APP, frozenset({SEND_SCOPE}), None))
            for n in range(USERS)
        ]
        await found.users.put(grants)
        await found.wallets.put(Wallet("GCASH", (GatewayRoute("none", "http://127.0.0.1:9"),)))
        text = Content(title="Order ${number}", body="Hello, ${who}")
        contents = {"en-US": {"PUSH": text, "INBOX": text}}
        definition = {"code": "PAYMENT_NOTICE", "channels": ("PUSH", "INBOX"), "default_language": "en-US"}
        await found.templates.put(TemplateDefinition.model_validate({**definition, "contents": contents}))


def timed(act: Callable[[], dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """Return the seconds that a call took, and its answer."""
    began = time.monotonic()
    answer = act()
    return round(time.monotonic() - began, 2), answer


def measure(port: int, memory: Memory, redis: Redis, rows: int, part_rows: int) -> dict[str, Any]:
    """Upload, run, pause, resume and cancel; return the figures."""
    ask(port, "create", **_COMMON)
    upload(port, 1_000, lines(rows, 1_000))  # what is loaded once is no growth
    before, peaks, seconds = memory.now(), [], 0.0
    for part, first in enumerate(range(0, rows - 1_000, part_rows), 1):
        content = lines(first, min(part_rows, rows - 1_000 - first))
        took, answer = timed(lambda part=part, content=content: upload(port, part, content))  # type: ignore[misc]
        if answer["accepted"] != answer["rows"]:
            raise RuntimeError(f"part {part}: {answer}")
        seconds += took
        peaks.append(memory.now() // _MIB)
    status = ask(port, "status")
    used = int(redis.info("memory")["used_memory"])
    ran, _ = timed(lambda: ask(port, "run", rows=rows))
    paused, _ = timed(lambda: ask(port, "pause"))
    page, _ = timed(lambda: ask(port, "results", limit=1_000))
    began = time.monotonic()
    ask(port, "cancel")
    while ask(port, "status")["open"]:
        time.sleep(0.2)
    cancelled = ask(port, "status")
    return {
        "rows": rows,
        "part_rows": part_rows,
        "accepted": status["accepted"],
        "upload_seconds": round(seconds, 1),
        "rows_per_second": round((rows - 1_000) / seconds),
        "rss_mib_before": before // _MIB,
        "rss_mib_after_each_part": peaks,
        "redis_mib": used // _MIB,
        "redis_bytes_a_row": used // rows,
        "run_seconds": ran,
        "pause_seconds": paused,
        "page_of_1000_results_seconds": page,
        "cancel_seconds": round(time.monotonic() - began, 1),
        "cancelled": cancelled["F"],
    }


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Return once the server listens."""
    while server.poll() is None:
        with socket.socket() as probe:
            if not probe.connect_ex((HOST, port)):
                return
        time.sleep(0.1)
    raise RuntimeError("the API did not start")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--part-rows", type=int, default=50_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, EmbeddedValkey(Path(directory) / "store") as valkey:
        asyncio.run(furnish(valkey.url))
        port = free_port()
        environ = {
            **os.environ,
            "TIDINGS_REDIS_URL": valkey.url,
            "TIDINGS_TOKEN_SECRET": _SECRET,
            "TIDINGS_API_PORT": str(port),
            "TIDINGS_LOG_LEVEL": "error",
        }
        server = subprocess.Popen(
            [sys.executable, "-m", "api_adapter", "serve"], env=environ, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(port, server)
            memory = Memory(server.pid)
            with Redis.from_url(valkey.url) as redis:
                figures = measure(port, memory, redis, arguments.rows, arguments.part_rows)
            print(json.dumps({**figures, "rss_mib_peak": memory.end() // _MIB}, indent=2))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
