from tests.fakes.clock import FakeClock
from worker.appetite import Appetite


def test_who_settled_nothing_yet_takes_a_chunk_ahead_and_what_is_in_calls() -> None:
    assert Appetite(FakeClock(), lambda: 0)() == 200
    assert Appetite(FakeClock(), lambda: 640)() == 840


def test_it_grows_with_what_was_settled_in_the_last_moment() -> None:
    clock = FakeClock()
    appetite = Appetite(clock, lambda: 0)

    appetite.settled(300)
    appetite.settled(200)
    assert appetite() == 700

    clock.advance(250)
    appetite.settled(50)
    assert appetite() == 700

    clock.advance(250)
    assert appetite() == 250


def test_after_a_pause_it_is_what_it_was_at_first() -> None:
    clock = FakeClock()
    appetite = Appetite(clock, lambda: 0)
    appetite.settled(500)

    clock.advance(10_000)

    assert appetite() == 200
