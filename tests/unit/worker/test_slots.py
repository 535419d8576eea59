import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.back_office import a_moment
from worker.contract.messages import Lane
from worker.slots import Slots

SINGLE, BULK = Lane.SINGLE, Lane.BULK
MOSTS = st.integers(2, 300)


def run(play: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await play()

    asyncio.run(main())


async def starts(taking: Awaitable[None]) -> bool:
    """Say whether a take got its slots without waiting for others to give theirs back."""
    task = asyncio.ensure_future(taking)
    await a_moment(turns=3)
    if task.done():
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


@pytest.mark.parametrize(("most", "of_lane"), [(20, 18), (100, 90), (2_000, 1_800)])
@pytest.mark.parametrize("lane", Lane)
def test_one_lane_gets_nine_tenths_and_the_other_one_the_rest(lane: Lane, most: int, of_lane: int) -> None:
    async def play() -> None:
        slots = Slots(most)
        other = BULK if lane is SINGLE else SINGLE
        assert await starts(slots.take(lane, of_lane))
        assert not await starts(slots.take(lane, 1))
        assert await starts(slots.take(other, most - of_lane))
        assert not await starts(slots.take(other, 1))
        assert slots.used == most

    run(play)


def test_what_one_take_may_ask_for_is_kept_for_each_lane() -> None:
    assert Slots(2_000).most_at_once == 200
    assert Slots(20).most_at_once == 2
    assert Slots(1).most_at_once == 1


@given(MOSTS)
def test_a_lane_with_nothing_in_hand_never_waits_for_the_other(most: int) -> None:
    async def play() -> None:
        slots = Slots(most)
        while await starts(slots.take(SINGLE, slots.most_at_once)):
            pass
        while await starts(slots.take(SINGLE, 1)):
            pass
        assert await starts(slots.take(BULK, slots.most_at_once))

    run(play)


def test_a_take_waits_for_slots_and_gets_them_when_they_are_given_back() -> None:
    async def play() -> None:
        slots = Slots(20)
        await slots.take(BULK, 18)
        waiting = asyncio.create_task(slots.take(BULK, 2))
        await a_moment()
        slots.free(BULK, 1)
        await a_moment()
        assert not waiting.done()
        slots.free(BULK, 1)
        await a_moment()
        assert waiting.done()
        assert slots.used == 18

    run(play)


def test_a_take_that_waits_for_room_in_all_gets_what_the_other_lane_gives_back() -> None:
    async def play() -> None:
        slots = Slots(20)
        await slots.take(SINGLE, 18)
        await slots.take(BULK, 2)
        waiting = asyncio.create_task(slots.take(BULK, 2))
        await a_moment()
        assert not waiting.done()
        slots.free(SINGLE, 2)
        await a_moment()
        assert waiting.done()

    run(play)


def test_within_a_lane_a_small_take_does_not_overtake_a_large_one() -> None:
    async def play() -> None:
        slots, order = Slots(100), list[str]()

        async def take(name: str, number: int) -> None:
            await slots.take(BULK, number)
            order.append(name)

        await slots.take(BULK, 85)
        waiting = [asyncio.create_task(take("large", 10)), asyncio.create_task(take("small", 1))]
        await a_moment()
        assert order == []
        slots.free(BULK, 5)
        await a_moment()
        assert order == ["large"]
        slots.free(BULK, 10)
        await asyncio.gather(*waiting)
        assert order == ["large", "small"]

    run(play)


def test_a_take_that_is_given_up_takes_nothing_and_lets_the_next_one_in() -> None:
    async def play() -> None:
        slots = Slots(20)
        await slots.take(BULK, 18)
        assert not await starts(slots.take(BULK, 2))
        assert slots.used == 18
        slots.free(BULK, 1)
        assert await starts(slots.take(BULK, 1))

    run(play)


@given(MOSTS, st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, 300), st.booleans()), max_size=40))
def test_slots_in_use_never_exceed_what_is_allowed(most: int, steps: list[tuple[Lane, int, bool]]) -> None:
    async def play() -> None:
        slots, held = Slots(most), dict.fromkeys(Lane, 0)
        for lane, number, gives_back in steps:
            if gives_back:
                freed = min(number, held[lane])
                slots.free(lane, freed)
                held[lane] -= freed
            elif await starts(slots.take(lane, min(number, slots.most_at_once))):
                held[lane] += min(number, slots.most_at_once)
            assert slots.used == sum(held.values()) <= most
            assert max(held.values()) <= max(1, int(most * 0.9))

    run(play)


def test_a_lane_that_has_enough_in_hand_takes_no_more_for_now_and_the_other_one_does() -> None:
    async def play() -> None:
        slots = Slots(2_000, lambda: 50)
        assert await starts(slots.take(BULK, 49))
        assert await starts(slots.take(BULK, 200))
        assert not await starts(slots.take(BULK, 1))
        assert await starts(slots.take(SINGLE, 1))
        slots.free(BULK, 200)
        assert await starts(slots.take(BULK, 1))

    run(play)
