"""What verbs print."""

import pytest

from api_adapter.cli.printing import counted, elapsed, harmless, period, stacked, utc


def test_parts_stand_in_one_line_without_a_terminal() -> None:
    assert stacked(["PUSH S", "INBOX\nF"]).plain == "PUSH S, INBOX\N{REPLACEMENT CHARACTER}F"


@pytest.mark.parametrize("dangerous", ["\x1b[2J", "a\rb", "a\nb", "\u202e"])
def test_a_text_from_outside_can_not_move_the_cursor(dangerous: str) -> None:
    assert harmless(dangerous).isprintable()


def test_a_printable_text_stays_as_it_is() -> None:
    assert harmless("小明 paid $12.50 😀") == "小明 paid $12.50 😀"


def test_a_time_is_utc_to_the_millisecond() -> None:
    assert (utc(1_700_000_000_007), utc(0)) == ("2023-11-14T22:13:20.007Z", "1970-01-01T00:00:00.000Z")
    assert utc(None) == ""


@pytest.mark.parametrize(("milliseconds", "text"), [(1, "1ms"), (1_500, "1500ms"), (90_000, "90s"), (86_400_000, "1d")])
def test_a_period_is_in_the_largest_unit_that_divides_it(milliseconds: int, text: str) -> None:
    assert period(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (4_214, "4.21 s"),
        (59_400, "59.4 s"),
        (59_999, "60 s"),
        (725_000, "12 min 5 s"),
        (3_599_999, "59 min 59 s"),
        (3_600_000, "1 h 0 min"),
        (86_399_999, "23 h 59 min"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_what_took_long_is_told_less_exactly(milliseconds: int, text: str) -> None:
    assert elapsed(milliseconds) == text


def test_one_is_singular() -> None:
    assert [counted(number, "line") for number in (0, 1, 2_000)] == ["0 lines", "1 line", "2,000 lines"]
