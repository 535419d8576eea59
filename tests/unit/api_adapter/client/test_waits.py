"""How long the client waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_adapter.client.waits import Patience, PatienceError, Waits, retry_after
from tests.fakes.clock import FakeClock

NOON = 1_700_000_000_000


def waits(patience: Patience, clock: FakeClock, draw: float = 0.5) -> Waits:
    return Waits(patience, clock.monotonic, lambda: draw)


def test_pauses_are_drawn_up_to_a_bound_that_doubles_to_the_longest() -> None:
    found = waits(Patience(total=1_000, first=0.2, longest=1.0), FakeClock(), draw=0.5)

    assert [found.next(None) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_what_the_api_asks_for_is_kept_with_a_little_more() -> None:
    found = waits(Patience(total=100, first=0.2), FakeClock(), draw=0.5)

    assert found.next(7.0) == pytest.approx(7.1)


def test_a_pause_beyond_the_end_is_not_begun() -> None:
    clock = FakeClock()
    found = waits(Patience(total=10, first=0.2), clock)

    assert found.next(10.0) is None
    assert found.next(9.0) is not None
    clock.advance(10_000)
    assert found.next(None) is None


def test_a_call_may_take_no_longer_than_what_is_left() -> None:
    clock = FakeClock()
    found = waits(Patience(total=20, call=15), clock)

    assert found.timeout() == 15
    clock.advance(12_000)
    assert found.timeout() == pytest.approx(8)
    clock.advance(60_000)
    assert found.timeout() > 0


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 200))
def test_no_pause_is_longer_than_the_longest(draw: float, tries: int) -> None:
    found = waits(Patience(total=1e9, first=0.25, longest=10), FakeClock(), draw)

    assert all(0 <= (found.next(None) or 0) <= 10 for _ in range(tries))


@pytest.mark.parametrize("fields", [{"total": 0}, {"call": -1}, {"first": 0}, {"longest": 0}])
def test_durations_are_above_0(fields: dict[str, float]) -> None:
    with pytest.raises(PatienceError, match="above 0"):
        Patience(**fields)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("99999999999", None),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:30 -0000", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOON) == seconds
