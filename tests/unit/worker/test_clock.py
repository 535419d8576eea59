import time

from worker.clock import SystemClock


def test_the_time_of_day_is_in_milliseconds_since_1970() -> None:
    before = int(time.time() * 1000)

    assert before - 1 <= SystemClock().now() <= int(time.time() * 1000) + 1


def test_monotonic_seconds_never_go_back() -> None:
    clock = SystemClock()
    seen = [clock.monotonic() for _ in range(100)]

    assert seen == sorted(seen)
    assert isinstance(clock.now(), int)
    assert abs(clock.monotonic() - time.monotonic()) < 1
