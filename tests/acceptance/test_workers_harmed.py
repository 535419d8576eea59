"""Workers that are killed again and again, and workers that wake up late; see also `test_drill`."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from tests.premises import Premises, Worker, premises
from worker.contract.outcomes import MessageOutcome

CUSTOMERS = [f"customer-{number}" for number in range(200)]
KILLS = 12
FEW_AT_ONCE = {"calls_per_gateway": 1, "call_size": 5}
"""So that most of what a process holds waits for its turn."""


@pytest.fixture
def play(redis_url: str, broker_url: str, tmp_path: Path) -> Callable[..., None]:
    """Give what plays a story on premises with the settings that it names."""

    def run(story: Callable[[Premises], Awaitable[None]], **changed: object) -> None:
        async def main() -> None:
            async with premises(redis_url, broker_url, tmp_path, **changed) as here:
                await story(here)

        asyncio.run(main())

    return run


def ends(outcomes: list[MessageOutcome]) -> set[tuple[str, str]]:
    return {(outcome.whole.status, outcome.dead_cause) for outcome in outcomes}


def some_are_delivered(outcomes: list[MessageOutcome]) -> bool:
    return sum(outcome.whole.status == "S" for outcome in outcomes) >= len(outcomes) // 10


async def kill_children(worker: Worker, dice: Random) -> None:
    """Kill a child again and again, at random times; nobody tells it before."""
    for _ in range(KILLS):
        await asyncio.sleep(dice.uniform(0.1, 0.8))
        if found := worker.children:
            os.kill(dice.choice(found), signal.SIGKILL)


def test_children_killed_from_outside_again_and_again_make_no_message_a_dead_letter(play: Callable[..., None]) -> None:
    async def story(here: Premises) -> None:
        await here.behave("slow-100")
        ids = await here.take(CUSTOMERS)
        with here.worker() as worker:
            await here.until(some_are_delivered, ids)
            killing = asyncio.create_task(kill_children(worker, Random()))
            for number in range(5):
                ids += await here.take([f"later-{number}-{customer}" for customer in CUSTOMERS])
                await asyncio.sleep(0.5)
            await killing
            outcomes = await here.settled(ids)
        assert ends(outcomes) == {("S", "")}
        assert sum(outcome.crashes for outcome in outcomes) > 0
        assert (await here.counts())["deliveredTwice"] == 0

    play(story, calls_per_gateway=2)


def test_a_worker_frozen_past_its_lease_sends_nothing_more_and_changes_no_outcome(play: Callable[..., None]) -> None:
    async def story(here: Premises) -> None:
        await here.behave("slow-200")
        ids = await here.take(CUSTOMERS[:100])
        with here.worker() as frozen:
            await here.until(some_are_delivered, ids)
            frozen.signal(signal.SIGSTOP)
            with here.worker():
                before = await here.settled(ids)
            calls = (await here.counts())["calls"]
            frozen.signal(signal.SIGCONT)
            await frozen.logged("settlements_were_stale")
        assert ends(before) == {("S", "")}
        assert await here.outcomes(ids) == before
        # A call that each child was just about to write can't be stopped; dozens were in hand.
        assert (await here.counts())["calls"] - calls <= 2

    play(story, **FEW_AT_ONCE)
