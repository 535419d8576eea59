"""The Valkey of a drill: at one port for as long as the drill lasts, however often it is killed."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api_adapter.drill.layout import LEDGER, Fsync
from api_adapter.stack.processes import Program
from worker.adapters.redis.valkey_server import valkey_binary

_HOST = "127.0.0.1"
_ANSWER = 2.0
_GRACE = 10.0
# Never rewritten by itself: a drill of a power loss needs to know which file is being written.
_CONFIGURATION = """\
port {port}
bind {host}
requirepass {password}
appendonly yes
appendfsync {fsync}
auto-aof-rewrite-percentage 0
save ""
maxmemory-policy noeviction
"""


class Store:
    """Where the server is, and its files."""

    def __init__(self, home: Path, port: int, fsync: Fsync) -> None:
        """Write its configuration below a directory that only the owner can read."""
        self.port = port
        self._home = home
        self._password = secrets.token_urlsafe(32)
        home.mkdir(mode=0o700, parents=True)
        text = _CONFIGURATION.format(host=_HOST, port=port, password=self._password, fsync=fsync)
        # The password goes by a file, because everybody on the machine can read a command line.
        self._configuration = home / "valkey.conf"
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(f"{text}dir {home}\n")

    def url(self, database: int, port: int | None = None) -> str:
        """Return the URL of a database, password included; `port` is that of a line which leads here."""
        return f"redis://:{self._password}@{_HOST}:{port or self.port}/{database}"

    def program(self, log: Path, environ: Mapping[str, str]) -> Program:
        """Return the server as a part of the stack."""
        return Program("redis", (str(valkey_binary()), str(self._configuration)), environ, log, _GRACE)

    @property
    def journal(self) -> Path:
        """The append-only file that is being written."""
        return max(self._home.glob("appendonlydir/*.incr.aof"), key=lambda file: int(file.name.split(".")[-3]))

    async def answers(self) -> bool:
        """Tell whether it serves; one that loads its data does not yet."""
        with suppress(RedisError):
            async with self.client(LEDGER) as client:
                return bool(await client.ping())
        return False

    @asynccontextmanager
    async def client(self, database: int) -> AsyncIterator[Redis]:
        """Give a client that reaches the server directly, whatever lines there are."""
        client = Redis.from_url(self.url(database), socket_timeout=_ANSWER, retry=Retry(NoBackoff(), 0))
        try:
            yield client
        finally:
            await client.aclose()

    async def flush(self, database: int) -> None:
        """Erase a database."""
        async with self.client(database) as client:
            await client.flushdb()

    async def fill_up(self) -> None:
        """Let every write that needs memory fail from now on."""
        async with self.client(LEDGER) as client:
            await client.config_set("maxmemory", 1)

    async def make_room(self) -> None:
        """Let it take as much memory as it likes."""
        async with self.client(LEDGER) as client:
            await client.config_set("maxmemory", 0)

    async def synced(self) -> int:
        """Return a size of the append-only file, in bytes, of which all is surely on the disk.

        The size is read before a write of our own, and Redis says that this write was synced: then so was what came
        before it.
        """
        async with self.client(LEDGER) as client:
            size = self.journal.stat().st_size
            await client.incr("drill:synced")
            await client.waitaof(num_local=1, num_replicas=0, timeout=0)
            return size

    async def syncs(self) -> bool:
        """Tell whether an fsync is under way: then Redis may keep writes to itself that it has answered."""
        async with self.client(LEDGER) as client:
            return bool((await client.info("persistence"))["aof_pending_bio_fsync"])

    def lose_power(self, size: int) -> None:
        """Cut the append-only file of a server that was killed back to a size; half a command at its end is no harm."""
        with self.journal.open("r+b") as file:
            file.truncate(size)
