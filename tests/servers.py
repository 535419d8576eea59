"""A Valkey that a test may kill and start again, and a `tidings serve` to call over the wire."""

import http.client
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import redis

from tests.stacks import PATIENCE, Command, tidings, wait_until
from worker.adapters.redis.valkey_server import valkey_binary

TOKEN_SECRET = "a secret of the tests"
HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


class Valkey:
    """A server that keeps its port and its data when it is killed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start with an append-only file and an fsync a write, unless options say otherwise."""
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        place = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.data)]
        self._process = subprocess.Popen([valkey_binary(), *place, *durable, *options], stdout=subprocess.DEVNULL)
        wait_until(self._answers, "Valkey answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False


@contextmanager
def valkey(data: Path) -> Iterator[Valkey]:
    """Give a server that does not run yet."""
    data.mkdir()
    server = Valkey(data)
    try:
        yield server
    finally:
        server.kill()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back over the wire."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        found: str = self.body["result"]["resultCode"]
        return found


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running `tidings serve`."""

    command: Command
    port: int

    def get(self, path: str) -> HttpAnswer:
        return self.call("GET", path, b"", {})

    def post(self, path: str, body: bytes) -> HttpAnswer:
        """Call an operation as a merchant does."""
        return self.call("POST", path, body, {"Content-Type": "application/json", "Client-Id": "merchant-1"})

    def call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Make one call on a connection of its own; status 0 where nobody listens."""
        connection = self.connection()
        try:
            chunked = "Transfer-Encoding" in headers
            connection.request(method, path, body, dict(headers), encode_chunked=chunked)
            return read_answer(connection)
        except ConnectionRefusedError:
            return HttpAnswer(0, {})
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection that the caller closes."""
        return http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)


def read_answer(connection: http.client.HTTPConnection) -> HttpAnswer:
    """Return the answer to the call just made."""
    response = connection.getresponse()
    return HttpAnswer(response.status, orjson.loads(response.read()))


@contextmanager
def served(data_dir: Path, redis_url: str, port: int = 0, **others: object) -> Iterator[ApiServer]:
    """Serve the API on a ledger for the length of the block; on a free port where none is given."""
    port = port or free_port()
    settings = {
        "redis_url": redis_url,
        "token_secret": TOKEN_SECRET,
        "api_port": port,
        "api_prefix": "/api/open",
        **others,
    }
    with tidings(data_dir, "serve", **settings) as command:
        server = ApiServer(command, port)
        wait_until(lambda: server.get("/healthz").status == 200, "the API listens")
        yield server
