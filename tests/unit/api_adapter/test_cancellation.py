import asyncio
from collections.abc import Coroutine
from contextlib import suppress

from api_adapter.cancellation import cancellation_heeded, heed_cancellation


async def is_cancelled(work: Coroutine[None, None, None]) -> bool:
    """Cancel work that has begun; return whether it ended by that."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


def test_a_task_that_lost_its_cancellation_ends_where_it_asks() -> None:
    reached = []

    async def forgetful() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        reached.append("went on")
        heed_cancellation()
        reached.append("asked in vain")

    assert asyncio.run(is_cancelled(forgetful()))
    assert reached == ["went on"]


def test_a_task_that_nobody_cancelled_goes_on() -> None:
    async def main() -> str:
        heed_cancellation()
        return "done"

    assert asyncio.run(main()) == "done"


def test_a_block_that_lost_its_cancellation_ends_with_it_whatever_it_raised() -> None:
    async def forgetful() -> None:
        with suppress(ValueError), cancellation_heeded():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            raise ValueError

    assert asyncio.run(is_cancelled(forgetful()))


def test_a_block_is_not_ended_by_a_cancellation_of_before() -> None:
    async def goes_on() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        with cancellation_heeded():
            return "done"

    async def main() -> str:
        task = asyncio.create_task(goes_on())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) == "done"
