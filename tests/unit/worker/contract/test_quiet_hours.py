"""Quiet hours and time zones as they are given."""

import pytest

from worker.contract.quiet_hours import QuietHours, known_time_zone


@pytest.mark.parametrize(
    ("text", "hours"),
    [("22:00-07:00", (1320, 420)), ("00:00-23:59", (0, 1439)), ("23:59-00:00", (1439, 0)), ("09:05-09:06", (545, 546))],
)
def test_hours_are_read_as_minutes_of_the_day_and_written_the_same_way(text: str, hours: tuple[int, int]) -> None:
    assert QuietHours.parse(text) == hours
    assert str(QuietHours(*hours)) == text


@pytest.mark.parametrize(
    "text", ["", "22:00", "22-07", "22:00-7:00", "24:00-07:00", "22:60-07:00", "22:00-07:00 ", "٢٢:00-07:00"]
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be hours such as 22:00-07:00$"):
        QuietHours.parse(text)


def test_hours_that_end_when_they_begin_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^must end at another time than they begin$"):
        QuietHours.parse("07:00-07:00")


@pytest.mark.parametrize("name", ["UTC", "Asia/Manila", "America/Argentina/Buenos_Aires"])
def test_time_zones_of_the_database_are_known(name: str) -> None:
    assert known_time_zone(name) == name


@pytest.mark.parametrize(
    "name", ["", "Asia", "Asia/Manilla", "../etc/passwd", "/etc/localtime", "x" * 5_000, "\0", "\ud800"]
)
def test_anything_else_is_no_time_zone(name: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a time zone such as Asia/Manila$"):
        known_time_zone(name)
