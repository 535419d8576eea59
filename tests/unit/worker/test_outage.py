from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from tests.fakes.clock import FakeClock
from worker.outage import Outage


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def outage_of(clock: FakeClock) -> Outage:
    return Outage("broker_unavailable", "broker_available_again", clock, broker="redis://:**@broker.test/1")


def told(outage: Outage, clock: FakeClock, seconds: int) -> Iterator[int]:
    """Yield after how many seconds of an outage, tried every two, something was said."""
    for second in range(0, seconds, 2):
        with capture_logs() as logs:
            outage.goes_on(ConnectionError("refused"))
        if logs:
            assert [(line["event"], line["log_level"], line["away_s"]) for line in logs] == [
                ("broker_unavailable", "error", second)
            ]
            yield second
        clock.advance(2_000)


def test_an_outage_is_told_at_once_then_ever_more_rarely_and_every_minute_in_the_end(clock: FakeClock) -> None:
    outage = outage_of(clock)

    assert list(told(outage, clock, 250)) == [0, 4, 12, 28, 60, 120, 180, 240]


def test_its_end_is_told_once_with_its_length(clock: FakeClock) -> None:
    outage = outage_of(clock)
    list(told(outage, clock, 30))

    with capture_logs() as logs:
        outage.ends()

    assert [(line["event"], line["away_s"]) for line in logs] == [("broker_available_again", 30)]


def test_of_a_broker_that_is_there_nothing_is_said(clock: FakeClock) -> None:
    with capture_logs() as logs:
        outage_of(clock).ends()

    assert logs == []


def test_the_reason_and_the_facts_are_told(clock: FakeClock) -> None:
    with capture_logs() as logs:
        outage_of(clock).goes_on(ConnectionError("Error 111"))

    assert (logs[0]["reason"], logs[0]["broker"]) == ("Error 111", "redis://:**@broker.test/1")
