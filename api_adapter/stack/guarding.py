"""Work that needs every part of a stack, and ends with an error as soon as one is gone."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

Outcome = TypeVar("Outcome")


async def guarded(work: Coroutine[Any, Any, Outcome], watch: Coroutine[Any, Any, NoReturn]) -> Outcome:
    """Return what the work returns, or raise what the watch raises, whichever comes first; the other is cancelled."""
    working, watching = asyncio.create_task(work), asyncio.create_task(watch)
    try:
        await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else await watching
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
