"""The pool of connections to the ledger's Redis."""

from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.typing import EncodableT
from typing_extensions import override

_TIMEOUT = 5
_CONNECT_TIMEOUT = 2
_RETRIES = 2
_CONNECTIONS = 96
_WAIT_FOR_CONNECTION = 20
"""Seconds; redis-py's plain pool would refuse at once when all its connections are in use."""


class FastConnection(Connection):
    """Packs commands in C: a chunk is thousands of arguments, and redis-py's asyncio side packs each in Python."""

    @override
    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """Return the command as Redis reads it; its name may be two words, such as `SCRIPT LOAD`."""
        name = str(args[0])
        words: tuple[Any, ...] = (*name.split(), *args[1:]) if " " in name else args
        return [hiredis.pack_command(words)]

    @override
    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return what Redis answers; leave a server that is a replica by now: the retry finds the new master."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError as error:
            await self.disconnect()
            raise RedisConnectionError(str(error)) from error


def connect(url: str) -> Redis:
    """Return a client with a pool of its own; connects at the first command.

    It fails within seconds when the server is away, and repeats a command whose answer was lost: each script is safe to
    repeat.
    """
    pool = BlockingConnectionPool.from_url(
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
