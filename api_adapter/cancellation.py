"""Cancellations that libraries lose."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


def heed_cancellation() -> None:
    """Raise CancelledError in a task that was cancelled and goes on all the same.

    What a task waits for may end in the same moment in which the task is cancelled. pyreqwest, and before Python 3.12
    `asyncio.wait_for`, by which redis-py sends, return the result then, or raise their error, and forget the
    cancellation. So whatever goes on for long asks here, once a round.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@contextmanager
def cancellation_heeded() -> Iterator[None]:
    """Raise CancelledError at the end of a block in which the task was cancelled, whatever the block ends with.

    A cancellation of before, by which the task went on deliberately, stops nothing here.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
