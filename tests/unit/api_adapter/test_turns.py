import asyncio

import pytest

from api_adapter.turns import Turns
from worker.contract.errors import LedgerUnavailableError


def test_no_more_than_so_many_have_a_turn_at_once_and_all_get_one() -> None:
    async def story() -> tuple[int, int]:
        turns, inside, most, served = Turns(3), 0, 0, 0

        async def caller() -> None:
            nonlocal inside, most, served
            async with turns.turn():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1
                served += 1

        await asyncio.gather(*(caller() for _ in range(50)))
        return most, served

    assert asyncio.run(story()) == (3, 50)


def test_who_came_first_is_served_first() -> None:
    async def story() -> list[int]:
        turns, served = Turns(1), list[int]()

        async def caller(number: int) -> None:
            async with turns.turn():
                await asyncio.sleep(0)
                served.append(number)

        await asyncio.gather(*(caller(number) for number in range(20)))
        return served

    assert asyncio.run(story()) == list(range(20))


def test_a_line_that_does_not_move_is_left_and_takes_no_place() -> None:
    async def story() -> None:
        turns = Turns(1, patience=0.01)
        async with turns.turn():
            with pytest.raises(LedgerUnavailableError, match="too many calls"):
                async with turns.turn():
                    pytest.fail("it was nobody's turn")
        async with asyncio.timeout(5), turns.turn():
            pass

    asyncio.run(story())


def test_a_turn_that_fails_is_given_back() -> None:
    async def story() -> None:
        turns = Turns(1, patience=0.01)
        for _ in range(2):
            with pytest.raises(KeyError):
                async with turns.turn():
                    raise KeyError
        async with turns.turn():
            pass

    asyncio.run(story())


def test_a_time_out_inside_a_turn_is_not_taken_for_a_line_that_does_not_move() -> None:
    async def story() -> None:
        with pytest.raises(TimeoutError):
            async with Turns(1).turn():
                raise TimeoutError

    asyncio.run(story())
