"""A TCP proxy in this process: a network that can be cut, forget its connections, or hold things back."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

_HOST = "127.0.0.1"
_PIECE = 64 * 1024


class Line:
    """Forwards bytes between whoever connects and a port of this machine, unless a fault is played."""

    def __init__(self, target: int) -> None:
        """Keep the port that it leads to."""
        self._target = target
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._swallows = False
        self._requests, self._replies = _Gate(), _Gate()
        self.port = 0

    async def open(self) -> None:
        """Take connections: on any free port the first time, later on the same one."""
        self._server = await asyncio.start_server(self._accept, _HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break all connections and refuse new ones, as if nobody listened; `open` ends it."""
        if self._server is not None:
            self._server.close()
        self._break()

    async def close(self) -> None:
        """End it."""
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Forward nothing on today's connections, ever; both ends still believe in them. New ones are served."""
        for wire in self._wires:
            wire.forgotten = True

    def swallow(self) -> None:
        """Take connections and bytes, and forward nothing; `heal` ends it."""
        self._swallows = True
        self.forget()

    def heal(self) -> None:
        """Serve new connections again, and break those that were swallowed."""
        self._swallows = False
        for wire in [wire for wire in self._wires if wire.forgotten]:
            wire.abort()

    def hold_requests(self) -> None:
        """Keep back what clients send, until `hold_replies` or `drop`."""
        self._requests.shut()

    def hold_replies(self, once: Callable[[], bool]) -> None:
        """Forward what clients send, and keep back what they are answered once something is so, until `drop`."""
        self._replies.shut(once)
        self._requests.open()

    def drop(self) -> None:
        """Break all connections with everything that was kept back, and keep back nothing more."""
        self._break()
        self._requests.open()
        self._replies.open()

    def _break(self) -> None:
        for wire in list(self._wires):
            wire.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._connected(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = _Wire(writer)
        wire.forgotten = self._swallows
        self._wires.add(wire)
        try:
            # A cut while it connects must not leave a way around it.
            with suppress(OSError):
                from_target, to_target = await asyncio.open_connection(_HOST, self._target)
                wire.ends.append(to_target)
                await self._forward(wire, (reader, writer), (from_target, to_target))
        finally:
            self._wires.discard(wire)
            wire.abort()

    async def _forward(self, wire: "_Wire", client: "_End", target: "_End") -> None:
        asking = asyncio.create_task(_pump(wire, client[0], target[1], self._requests))
        answering = asyncio.create_task(_pump(wire, target[0], client[1], self._replies))
        try:
            await asyncio.wait([asking, answering], return_when=asyncio.FIRST_COMPLETED)
            if wire.forgotten:
                # Whoever believes in it learns of its end from nobody else.
                await asking
        finally:
            for pump in (asking, answering):
                pump.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Wire:
    """One connection through the line."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.ends = [writer]
        self.forgotten = False

    def abort(self) -> None:
        for end in self.ends:
            end.transport.abort()


def _never() -> bool:
    return False


def _always() -> bool:
    return True


class _Gate:
    """What is forwarded has to pass it."""

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self.open()

    def open(self) -> None:
        self._shuts = _never
        self._opened.set()

    def shut(self, once: Callable[[], bool] = _always) -> None:
        self._shuts = once

    async def passed(self) -> None:
        if self._shuts():
            self._opened.clear()
        await self._opened.wait()


async def _pump(wire: _Wire, source: asyncio.StreamReader, sink: asyncio.StreamWriter, gate: _Gate) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE):
            await gate.passed()
            if not wire.forgotten:
                sink.write(piece)
                await sink.drain()
