"""Cancellations that libraries lose."""

import asyncio


def heed_cancellation() -> None:
    """Raise CancelledError in a task that was cancelled and goes on all the same.

    What a task waits for may end in the same moment in which the task is cancelled. pyreqwest, and before Python 3.12
    `asyncio.wait_for`, by which redis-py sends, return the result then and forget the cancellation. So whatever goes on
    for long asks here, once a round.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
