"""How far a long verb is."""

import pytest

from api_adapter.cli.progress import Work, progress, rate
from tests.fakes.clock import FakeClock


def test_without_a_terminal_there_is_a_line_every_five_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    with progress(Work("send", "line", total=1_000), clock) as meter:
        for done in (100, 200, 300, 400):
            clock.advance(2_500)
            meter.advance(done, done * 10)

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "send: 2,000 lines, 400/s, 20 %, 20 s left",
        "send: 4,000 lines, 400/s, 40 %, 15 s left",
    ]


def test_what_has_no_known_end_tells_no_rest(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    with progress(Work("send", "line", total=None), clock) as meter:
        clock.advance(10_000)
        meter.advance(5, 20_000)
        meter.say("still here")

    assert capsys.readouterr().err == "send: 20,000 lines, 2,000/s\nstill here\n"


def test_on_a_terminal_there_is_a_bar_that_goes_away_and_lines_that_stay(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    clock = FakeClock()
    with progress(Work("send", "line", total=10), clock) as meter:
        clock.advance(1_000)
        meter.advance(5, 5)
        meter.say("[b]as it is[/b]")

    shown = capsys.readouterr().err
    assert "[b]as it is[/b]" in shown
    assert "5 lines, 5/s" in shown
    assert shown.endswith("\x1b[2K")


def test_no_time_has_no_rate() -> None:
    assert rate(7, "line", 0.0) == "7 lines"
