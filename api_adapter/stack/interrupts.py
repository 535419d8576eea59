"""Ctrl-C and its kin: the first asks for a graceful end, the second for a quick one."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Outcome = TypeVar("Outcome")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - what the user asked for, no error
    """A signal ended the session; everything was stopped."""

    def __init__(self, impatiently: bool) -> None:  # noqa: FBT001 - what happened, it changes nothing
        """Say whether a second signal came."""
        super().__init__()
        self.impatiently = impatiently


async def interruptible(session: Callable[[asyncio.Event], Coroutine[Any, Any, Outcome]]) -> Outcome:
    """Return what a session returns; the first signal cancels it, a second one sets the event that it got.

    Raises Interrupted when a signal came and the session ended because of it.
    """
    impatient = asyncio.Event()
    task = asyncio.create_task(session(impatient))
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            impatient.set()
        else:
            asked.set()
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, ask)
    try:
        return await task
    except asyncio.CancelledError:
        raise Interrupted(impatient.is_set()) from None
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
