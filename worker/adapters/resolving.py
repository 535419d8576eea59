"""Looks up the addresses of hosts' names, in threads of its own: a slow name server keeps nobody else waiting.

Nothing here judges an address: who calls where strangers say so does that, and connects to what was judged.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from threading import Thread
from time import monotonic
from typing import NamedTuple

from worker.recent import Recent

MOST_LOOK_UPS = 128
"""Most threads at once of one Resolver, each of which looks up another name; more names wait."""
MOST_KEPT = 10_000
"""Names whose answers are kept."""

Addresses = tuple[str, ...]
"""In the order to try them; none where a name leads nowhere, or can't be looked up at present."""


class _Known(NamedTuple):
    addresses: Addresses
    until: float


def look_up(host: str) -> Addresses:
    """Return a name's addresses; blocks."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """Finds addresses for one event loop. A name is looked up once at a time, for all who ask.

    The loop's own threads would do it too, but there are few of them, for all that the process looks up, and the end of
    loop and process waits for them, as it does for any pool of threads.
    """

    def __init__(self, kept: float, now: Callable[[], float] = monotonic) -> None:
        """Start with no name known.

        Args:
            kept: seconds for which an answer is used: a burst of new connections costs one look-up, and a name that
                moves is followed as late (what its name server allows, `getaddrinfo` doesn't tell). None is used for
                longer, whatever becomes of the next look-up: its address may be somebody else's by then.
            now: tells seconds that never go back.

        """
        self._kept = kept
        self._now = now
        self._known: Recent[str, _Known] = Recent(MOST_KEPT)
        self._under_way: dict[str, asyncio.Task[Addresses]] = {}
        self._places = asyncio.Semaphore(MOST_LOOK_UPS)

    async def resolve(self, host: str) -> Addresses:
        """Return the addresses of a name, or an address itself.

        Who asks may give up at any time; the look-up goes on, for whoever asks next.
        """
        if _is_address(host):
            return (host,)
        known = self._known.get(host)
        if known is not None and self._now() < known.until:
            return known.addresses
        return await asyncio.shield(self._under_way.get(host) or self._begin(host))

    async def close(self) -> None:
        """Let go of what is looked up; its threads end when they do, and nobody waits for them."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)

    def _begin(self, host: str) -> asyncio.Task[Addresses]:
        task = asyncio.get_running_loop().create_task(self._look_up(host))
        self._under_way[host] = task
        task.add_done_callback(lambda _: self._under_way.pop(host))
        return task

    async def _look_up(self, host: str) -> Addresses:
        async with self._places:
            answer: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
            try:
                Thread(target=_tell, args=(answer, host), name="look-up", daemon=True).start()
            except RuntimeError:  # the system gives no thread at present
                return ()
            found = await answer
        if found:
            self._known.keep(host, _Known(found, self._now() + self._kept))
        return found


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _tell(answer: "asyncio.Future[Addresses]", host: str) -> None:
    found: Addresses = ()
    try:
        found = look_up(host)
    finally:  # whatever went wrong: who asks next would wait for this answer, too
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            answer.get_loop().call_soon_threadsafe(_settle, answer, found)


def _settle(answer: "asyncio.Future[Addresses]", found: Addresses) -> None:
    if not answer.done():
        answer.set_result(found)
