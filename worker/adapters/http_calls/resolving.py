"""Looks up the addresses of servers' names, in threads of its own: a slow name server keeps nobody else waiting."""

import asyncio
import socket
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread
from time import monotonic
from typing import NamedTuple

from worker.adapters.http_calls.errors import HostNotFoundError

FRESH = 5.0
"""Seconds for which an answer is used: a burst of new connections costs one look-up, and a name that moves is followed
soon (what its name server allows, `getaddrinfo` doesn't tell). None is used for longer, whatever becomes of the
look-up: its address may be somebody else's by then."""
MOST_LOOK_UPS = 128
"""Most threads at once, each of which looks up another name; more names wait."""


class _Known(NamedTuple):
    addresses: list[str]
    until: float


def look_up(host: str) -> list[str]:
    """Return a name's addresses in the order to try them, none where it leads nowhere; blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """Finds addresses for one event loop. A name is looked up once at a time, for all who ask.

    The loop's own threads would do it too, but there are few of them, for all that the process looks up, and the loop's
    end waits for them.
    """

    def __init__(self) -> None:
        """Start with no name known."""
        self._known: dict[str, _Known] = {}
        """As many as were ever found."""
        self._under_way: dict[str, asyncio.Task[list[str]]] = {}
        self._places = asyncio.Semaphore(MOST_LOOK_UPS)

    async def resolve(self, host: str) -> list[str]:
        """Return the addresses of a name, or an address itself; raise HostNotFoundError where there is none.

        Who asks may give up at any time; the look-up goes on, for whoever asks next.
        """
        if _is_address(host):
            return [host]
        known = self._known.get(host)
        if known is not None and monotonic() < known.until:
            return known.addresses
        found = await asyncio.shield(self._under_way.get(host) or self._begin(host))
        if not found:
            raise HostNotFoundError("the host's name leads to no address, or can't be looked up")
        return found

    async def close(self) -> None:
        """Let go of what is looked up; its threads end when they do, and nobody waits for them."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)

    def _begin(self, host: str) -> asyncio.Task[list[str]]:
        task = asyncio.get_running_loop().create_task(self._look_up(host))
        self._under_way[host] = task
        task.add_done_callback(lambda _: self._under_way.pop(host))
        return task

    async def _look_up(self, host: str) -> list[str]:
        async with self._places:
            answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
            try:
                Thread(target=_tell, args=(answer, host), name="look-up", daemon=True).start()
            except RuntimeError:  # the system gives no thread at present
                return []
            found = await answer
        if found:
            self._known[host] = _Known(found, monotonic() + FRESH)
        return found


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _tell(answer: "asyncio.Future[list[str]]", host: str) -> None:
    found: list[str] = []
    try:
        found = look_up(host)
    finally:  # whatever went wrong: who asks next would wait for this answer, too
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            answer.get_loop().call_soon_threadsafe(_settle, answer, found)


def _settle(answer: "asyncio.Future[list[str]]", found: list[str]) -> None:
    if not answer.done():
        answer.set_result(found)
