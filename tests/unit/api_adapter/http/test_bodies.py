import asyncio

import pytest
from starlette.requests import Request

from api_adapter.http.bodies import Pace, steady_pace, timely_body, usual_pace
from api_adapter.http.endpoint import Reply
from tests.asgi_calls import Message

KIB = 1024
MIB = 1024 * KIB
SOON, NEVER = 0.0, 60.0


@pytest.mark.parametrize(("size", "seconds"), [(0, 10), (MIB - 1, 10), (MIB, 20), (2 * MIB - 1, 20), (16 * MIB, 170)])
def test_a_body_has_its_time_and_as_long_again_for_each_mib(size: int, seconds: float) -> None:
    assert usual_pace(10_000).time_of(size) == seconds


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 3), (64 * KIB - 1, 3), (64 * KIB, 3.625), (MIB, 13), (16 * MIB, 163)]
)
def test_what_holds_a_place_has_less_time_before_its_first_bytes_and_the_same_pace(size: int, seconds: float) -> None:
    assert steady_pace(10_000).time_of(size) == seconds


def read(pace: Pace, most: int, *parts: tuple[float, int]) -> bytes | Reply:
    """Read a body whose parts come after so many seconds each, with so many bytes."""
    coming = iter(parts)

    async def receive() -> Message:
        pause, size = next(coming)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": b"x" * size, "more_body": True}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    return asyncio.run(timely_body(request, most, pace))


def test_a_part_that_stops_is_cut_off_when_the_time_of_what_came_is_over() -> None:
    found = read(Pace(first=50, more=10, step=100), 1_000, (SOON, 99), (SOON, 1), (NEVER, 1))

    assert isinstance(found, Reply)
    assert found.status == 408


def test_every_step_that_comes_gives_more_time() -> None:
    # They take longer than the first time in all, and far less than what the first of them gives.
    pace = Pace(first=200, more=10_000, step=10)

    found = read(pace, 100, (SOON, 10), *[(0.03, 10)] * 10)

    assert isinstance(found, Reply)
    assert found.status == 413
