"""The connections to one origin: those that are open, and those of them that are free."""

import asyncio

from worker.adapters.http_calls.connection import Connection

LONGEST_IDLE = 4.0
"""Seconds that a free connection is kept. Servers keep it for longer: many for 5 (Node.js, Apache, uvicorn), most for a
minute. Who writes while the server closes never learns what became of the request."""
MOST_IDLE = 256
"""Most free connections that are kept: as many as a process makes calls to one gateway at once, by default."""


class Pool:
    """Connections to one origin. The one used last is used next, so that those beyond the need grow old."""

    def __init__(self) -> None:
        """Start with none."""
        self._open: set[Connection] = set()
        self._idle: dict[Connection, float] = {}
        """Since when, by the loop's clock, and in that order."""
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
        """Return a free connection that is open, if there is one; `now` is the loop's time."""
        while self._idle:
            connection, since = self._idle.popitem()
            if connection.is_open and now - since < LONGEST_IDLE:
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
        loop = asyncio.get_running_loop()
        self._idle[connection] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(LONGEST_IDLE, self._drop_old)

    def drop_idle(self) -> None:
        """Close all that are free: what made one fail may have taken them too, without a word."""
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def close(self) -> None:
        """Close all, free or not; they are gone a turn of the loop later."""
        self.drop_idle()
        for connection in self._open:
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def _drop_old(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._timer = None
        for connection, since in list(self._idle.items()):
            if now - since < LONGEST_IDLE:
                self._timer = loop.call_later(since + LONGEST_IDLE - now, self._drop_old)
                return
            del self._idle[connection]
            connection.abort()
