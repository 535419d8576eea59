"""The limit of calls in flight, in front of gateways that behave in some way (virtual time)."""

import heapq
from collections.abc import Callable, Iterator
from random import Random

import pytest
from structlog.testing import capture_logs

from worker.call_limit import CallBounds, CallLimit

Latency = Callable[[int], float]
"""Seconds of a call by how many are in flight when it begins."""


def constant(seconds: float) -> Latency:
    return lambda _in_flight: seconds


def saturated_at(calls: int, seconds: float) -> Latency:
    """A gateway that works on so many calls at once; the others wait in its line."""
    return lambda in_flight: seconds * max(1.0, in_flight / calls)


class Play:
    """Keeps as many calls in flight as the limit allows, and there is demand for."""

    def __init__(self, latency: Latency, bounds: CallBounds | None = None, demand: int = 10_000) -> None:
        self.limit = CallLimit("gcash", bounds or CallBounds())
        self.latency = latency
        self.demand = demand
        self.now = 0.0
        self._in_flight: list[tuple[float, float]] = []

    def run(self, seconds: float) -> list[int]:
        """Play on; return the limits there were."""
        until, limits = self.now + seconds, []
        for begun in self._ended_calls(until):
            limits.append(self.limit.calls)
            self.limit.answered(begun, self.now, len(self._in_flight) + 1)
        return limits

    def _ended_calls(self, until: float) -> Iterator[float]:
        while self.now < until:
            while len(self._in_flight) < min(self.limit.calls, self.demand):
                took = self.latency(len(self._in_flight) + 1)
                # No two calls end at the very same time.
                heapq.heappush(self._in_flight, (self.now + took + len(self._in_flight) * 1e-7, self.now))
            self.now, begun = heapq.heappop(self._in_flight)
            yield begun


def test_it_begins_moderate_and_doubles_while_the_latency_stays() -> None:
    play = Play(constant(0.05))
    assert play.limit.calls == 32

    play.run(0.5)

    assert play.limit.calls == 256


def test_it_never_grows_beyond_its_bound() -> None:
    play = Play(constant(0.05), CallBounds(most=100))

    assert max(play.run(5)) == play.limit.calls == 100


def test_a_bound_below_the_first_limit_is_kept_from_the_start() -> None:
    assert CallLimit("gcash", CallBounds(most=2)).calls == 2
    assert CallLimit("gcash", CallBounds(most=1, fewest=4)).calls == 1
    assert CallLimit("gcash", CallBounds(most=1_000, fewest=50)).calls == 50


def test_it_stops_where_more_calls_only_wait_longer() -> None:
    play = Play(saturated_at(64, 0.05))

    play.run(5)
    limits = play.run(20)

    assert min(limits) >= 50
    assert max(limits) < 140


def test_it_shrinks_when_the_gateway_gets_slow_and_grows_again_when_it_is_fast() -> None:
    play = Play(constant(0.05))
    play.run(1)
    play.latency = constant(0.5)
    play.run(8)
    shrunk = play.limit.calls
    play.latency = constant(0.05)
    play.run(3)

    assert shrunk < 64
    assert play.limit.calls == 256


def test_a_gateway_that_is_slower_for_good_gets_as_many_calls_in_the_end() -> None:
    play = Play(constant(0.05))
    play.run(1)
    play.latency = constant(0.2)
    play.run(60)

    assert play.limit.calls == 256


def test_it_stays_high_in_front_of_a_gateway_whose_latency_varies_by_itself() -> None:
    draw = Random(7)
    play = Play(lambda _in_flight: draw.expovariate(1 / 0.05))
    play.run(2)

    limits = play.run(30)

    assert sum(limits) / len(limits) > 128


def test_it_never_shrinks_below_its_bound() -> None:
    play = Play(constant(0.05), CallBounds(fewest=7))
    for number in range(100):
        play.limit.throttled(float(number), float(number))

    assert play.limit.calls == 7


def test_where_there_is_less_to_send_nothing_is_learnt() -> None:
    play = Play(constant(0.05), demand=10)

    assert set(play.run(10)) == {32}


def test_the_noise_of_a_fast_gateway_is_no_slowness() -> None:
    fast = iter([0.001, 0.004, 0.002, 0.003, 0.001] * 100_000)
    play = Play(lambda _in_flight: next(fast))

    play.run(2)

    assert play.limit.calls == 256


def test_a_gateway_that_asks_to_wait_halves_it_once_for_all_calls_that_were_in_flight() -> None:
    limit = CallLimit("gcash", CallBounds())
    for _ in range(20):
        limit.throttled(begun=1.0, now=2.0)
    assert limit.calls == 16

    limit.throttled(begun=2.0, now=3.0)
    assert limit.calls == 8


@pytest.mark.parametrize(("failing", "calls"), [(3, 64), (4, 16)])
def test_calls_that_fail_halve_it_if_they_are_more_than_a_tenth(failing: int, calls: int) -> None:
    limit = CallLimit("gcash", CallBounds())
    for number in range(32):
        if number < failing:
            limit.failed(0.0, 0.05)
        else:
            limit.answered(0.0, 0.05, 32)

    assert limit.calls == calls


def test_moves_are_logged_once_they_double_or_halve_it() -> None:
    with capture_logs() as logs:
        limit = CallLimit("gcash", CallBounds(fewest=4))
        for number in range(4):
            limit.throttled(float(number), float(number))

    assert [(entry["event"], entry["gateway"], entry["calls"], entry["before"], entry["reason"]) for entry in logs] == [
        ("call_limit_moved", "gcash", 16, 32, "throttled"),
        ("call_limit_moved", "gcash", 8, 16, "throttled"),
        ("call_limit_moved", "gcash", 4, 8, "throttled"),
    ]
