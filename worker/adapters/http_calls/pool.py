"""The connections to one origin: those that are open, and those of them that are free."""

import asyncio
from time import monotonic

from worker.adapters.http_calls.connection import Connection

LONGEST_IDLE = 4.0
"""Seconds that a free connection is kept. Most servers keep it for longer: many for 5 (Node.js, Apache, uvicorn),
others for a minute. Who writes while the server closes never learns what became of the request."""
MOST_IDLE = 256
"""Most free connections that are kept: as many as a process makes calls to one gateway at once, by default."""
_LEAST_IDLE = 0.001
"""Seconds after which a free connection is looked at before it is used: not where one call follows another at once."""


class Pool:
    """Connections to one origin. The one used last is used next, so that those beyond the need grow old."""

    def __init__(self) -> None:
        """Start with none."""
        self._open: set[Connection] = set()
        self._idle: dict[Connection, float] = {}
        """Since when, and in that order. Not by the loop's clock, which may stand still while the loop is busy."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._open)

    @property
    def idle(self) -> int:
        """How many of them are free."""
        return len(self._idle)

    def make(self) -> Connection:
        """Return a connection for a transport, which is known here once it has one."""
        return Connection(self._open.add, self._forget)

    def take(self, now: float) -> Connection | None:
        """Return a free connection that is open, if there is one; `now` is `time.monotonic()`.

        A loop that is busy tells later what a server said since its last answer, or that it closed: it may not be taken
        for the answer to the next request.
        """
        while self._idle:
            connection, since = self._idle.popitem()
            idle = now - since
            if connection.is_open and idle < LONGEST_IDLE and (idle < _LEAST_IDLE or not connection.has_unread()):
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection) -> None:
        """Keep a connection that is free again, if it is open and not one too many."""
        if not connection.is_open:
            return
        if len(self._idle) >= MOST_IDLE:
            connection.abort()
            return
        self._idle[connection] = monotonic()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_IDLE, self._drop_old)

    def drop_idle(self, began: float) -> None:
        """Close those that are free since before a call began that has no answer; `began` is by `time.monotonic()`.

        What made it fail may have taken them too, without a word. Those used since then are known to be good.
        """
        for connection, since in list(self._idle.items()):
            if since >= began:
                return
            del self._idle[connection]
            connection.abort()

    def close(self) -> None:
        """Close all, free or not; they are gone a turn of the loop later."""
        self._idle.clear()
        for connection in self._open:
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def _drop_old(self) -> None:
        now = monotonic()
        self._timer = None
        for connection, since in list(self._idle.items()):
            if now - since < LONGEST_IDLE:
                self._timer = asyncio.get_running_loop().call_later(since + LONGEST_IDLE - now, self._drop_old)
                return
            del self._idle[connection]
            connection.abort()
