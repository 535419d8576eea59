"""Quiet hours: by the clock on the user's wall, also on the nights on which that changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.quiet_hours import QuietHours
from worker.quiet import quiet_until

NIGHT = QuietHours.parse("22:00-07:00")
NOON = QuietHours.parse("12:00-14:30")
ZONES = ["UTC", "Asia/Manila", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def until(hours: QuietHours, zone: str, now: str) -> str | None:
    end = quiet_until(hours, zone, ms(now))
    return None if end is None else datetime.fromtimestamp(end / 1000, ZoneInfo(zone)).isoformat()


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (NIGHT, "2031-05-01T21:59:59.999+08:00", None),
        (NIGHT, "2031-05-01T22:00:00+08:00", "2031-05-02T07:00:00+08:00"),
        (NIGHT, "2031-05-01T23:59:59+08:00", "2031-05-02T07:00:00+08:00"),
        (NIGHT, "2031-05-02T00:00:00+08:00", "2031-05-02T07:00:00+08:00"),
        (NIGHT, "2031-05-02T06:59:59.999+08:00", "2031-05-02T07:00:00+08:00"),
        (NIGHT, "2031-05-02T07:00:00+08:00", None),
        (NOON, "2031-05-01T11:59:59+08:00", None),
        (NOON, "2031-05-01T12:00:00+08:00", "2031-05-01T14:30:00+08:00"),
        (NOON, "2031-05-01T14:29:30+08:00", "2031-05-01T14:30:00+08:00"),
        (NOON, "2031-05-01T14:30:00+08:00", None),
    ],
)
def test_quiet_hours_begin_and_end_by_the_minute(hours: QuietHours, now: str, end: str | None) -> None:
    assert until(hours, "Asia/Manila", now) == end


def test_a_night_in_which_clocks_go_forward_is_an_hour_shorter() -> None:
    assert until(NIGHT, "Europe/Berlin", "2031-03-29T23:00:00+01:00") == "2031-03-30T07:00:00+02:00"


def test_a_night_in_which_clocks_go_back_is_an_hour_longer() -> None:
    assert until(NIGHT, "Europe/Berlin", "2031-10-25T23:00:00+02:00") == "2031-10-26T07:00:00+01:00"


def test_an_end_that_clocks_pass_over_is_when_they_do() -> None:
    assert until(QuietHours.parse("22:00-02:30"), "Europe/Berlin", "2031-03-30T01:30:00+01:00") == (
        "2031-03-30T03:00:00+02:00"
    )


def test_hours_that_begin_in_what_clocks_pass_over_begin_after_it() -> None:
    hours = QuietHours.parse("02:15-05:00")

    assert until(hours, "Europe/Berlin", "2031-03-30T01:59:59+01:00") is None
    assert until(hours, "Europe/Berlin", "2031-03-30T03:00:00+02:00") == "2031-03-30T05:00:00+02:00"


def test_an_end_that_comes_twice_ends_each_time_it_was_quiet() -> None:
    hours = QuietHours.parse("22:00-02:30")

    assert until(hours, "Europe/Berlin", "2031-10-26T01:00:00+02:00") == "2031-10-26T02:30:00+02:00"
    assert until(hours, "Europe/Berlin", "2031-10-26T02:10:00+01:00") == "2031-10-26T02:30:00+01:00"


@given(
    st.builds(QuietHours, st.integers(0, 1439), st.integers(0, 1439)).filter(lambda hours: hours.start != hours.end),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2030, 1, 1), datetime(2032, 1, 1)),  # noqa: DTZ001 - in UTC below
)
def test_at_the_end_it_is_quiet_no_more_and_a_minute_before_it_was(hours: QuietHours, zone: str, at: datetime) -> None:
    now = int(at.replace(tzinfo=UTC).timestamp() * 1000)
    end = quiet_until(hours, zone, now)
    if end is not None:
        assert now < end <= now + timedelta(hours=25, minutes=1) / timedelta(milliseconds=1)
        assert quiet_until(hours, zone, end) is None
        assert quiet_until(hours, zone, end - 1) == end
