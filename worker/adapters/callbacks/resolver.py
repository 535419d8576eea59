"""Resolves merchants' host names, in threads of its own: a slow name server keeps nobody else waiting."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from worker.ports import Clock

_THREADS = 16
_FRESH = 30.0
"""Seconds for which what was resolved is used again."""
_MOST = 10_000
"""Names that are remembered."""

Lookup = Callable[[str], list[str]]


def look_up(host: str) -> list[str]:
    """Return the addresses of a name in the order to try them; raise OSError for one that has none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Gives the addresses of names, one look-up at a time for each."""

    def __init__(self, clock: Clock, lookup: Lookup = look_up) -> None:
        """Start with no name known; `lookup` blocks its thread."""
        self._clock = clock
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="callback-names")
        self._known: dict[str, tuple[float, asyncio.Future[list[str]]]] = {}

    async def resolve(self, host: str) -> list[str]:
        """Return a name's addresses, at most half a minute old; raise OSError for one that has none."""
        now = self._clock.monotonic()
        read_at, found = self._known.get(host, (float("-inf"), None))
        if found is None or now - read_at > _FRESH:
            found = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[host] = (now, found)
            found.add_done_callback(lambda done: self._forget_failure(host, done))
        return await asyncio.shield(found)

    def _forget_failure(self, host: str, done: "asyncio.Future[list[str]]") -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and host in self._known and self._known[host][1] is done:
            del self._known[host]

    def close(self) -> None:
        """Let the threads end; what they look up at present is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
