"""The pool of connections to the ledger's Redis."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.typing import EncodableT
from typing_extensions import override

from worker.adapters.redis.resp import packed_command

_TIMEOUT = 5
_CONNECT_TIMEOUT = 2
_RETRIES = 2
_CONNECTIONS = 96
_WAIT_FOR_CONNECTION = 20
"""Seconds; redis-py's plain pool would refuse at once when all its connections are in use."""


class FastConnection(Connection):
    """Packs commands in one go: a chunk is thousands of arguments, and redis-py's asyncio side packs each by itself."""

    pool: BlockingConnectionPool
    """Where it belongs; set by `OnePath`."""

    @override
    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """Return the command as Redis reads it; its name may be two words, such as `SCRIPT LOAD`."""
        name = str(args[0])
        words: tuple[Any, ...] = (*name.split(), *args[1:]) if " " in name else args
        return [packed_command(words)]

    @override
    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return what Redis answers; leave a server that is a replica by now: the retry finds the new master.

        One that does not answer in time says something of all: where a network forgot its connections without a word,
        each idle one would cost a time-out, one after the other. So the pool lets go of those.
        """
        try:
            return await super().read_response(*args, **options)
        except RedisTimeoutError:
            await self.pool.disconnect(inuse_connections=False)
            raise
        except ReadOnlyError as error:
            await self.disconnect()
            raise RedisConnectionError(str(error)) from error


class OnePath(BlockingConnectionPool):
    """A pool whose connections go the same way, and so are lost together."""

    @override
    def make_connection(self) -> Any:
        """Return a new connection that knows its pool."""
        connection = super().make_connection()  # type: ignore[no-untyped-call]  # redis-py's own
        connection.pool = self
        return connection


def connect(url: str) -> Redis:
    """Return a client with a pool of its own; connects at the first command.

    It fails within seconds when the server is away, and repeats a command whose answer was lost: each script is safe to
    repeat.
    """
    pool = OnePath.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_WAIT_FOR_CONNECTION,
        connection_class=FastConnection,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_CONNECT_TIMEOUT,
        socket_keepalive=True,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), _RETRIES),
    )
    return Redis.from_pool(pool)
