"""Lines for people, on terminals and elsewhere."""

import pytest

from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import Command, folded, say, say_aside
from tests.fakes.clock import FakeClock

GO_ON = Command("tidings batch run 333301 june", "(with --url as here)")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TTY_INTERACTIVE": "1", "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "30"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("as wide as it may be", ["as wide as it may be"]),
        ("wider than that by one", ["wider than that by", "  one"]),
        ("  2 refused: no such template", ["  2 refused: no such", "    template"]),
        ("/a/path/that/is/wider/than/all it is", ["/a/path/that/is/wider/than/all", "  it is"]),
        ("see /a/path/that/is/wider/than/all", ["see", "  /a/path/that/is/wider/than/all"]),
        ("消息消息消息 消息消息", ["消息消息消息", "  消息消息"]),
        ("", [""]),
    ],
)
def test_lines_are_broken_between_words_alone(text: str, lines: list[str]) -> None:
    assert folded(text, 20).split("\n") == lines


def test_lines_hang_as_far_as_they_are_told() -> None:
    assert folded("ok     gateways  gcash takes connections", 30, hanging=17).split("\n") == [
        "ok     gateways  gcash takes",
        "                 connections",
    ]


def test_a_command_stays_in_one_piece() -> None:
    assert folded("nothing is sent before", 30, GO_ON).split("\n") == [
        "nothing is sent before",
        "  tidings batch run 333301 june",
        "  (with --url as here)",
    ]
    assert folded("", 80, GO_ON) == f"{GO_ON}"
    assert folded("none answers; start one: tidings worker --children 2", 30).split("\n") == [
        "none answers; start one:",
        "  tidings worker --children 2",
    ]


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_lines_are_as_wide_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("what is longer than the terminal is wide")
    say_aside("aside", GO_ON)

    assert capsys.readouterr() == (
        "what is longer than the\n  terminal is wide\n",
        "aside\n  tidings batch run 333301 june\n  (with --url as here)\n",
    )


def test_elsewhere_a_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("  " + "word " * 50 + "end", GO_ON)

    assert capsys.readouterr() == (f"  {'word ' * 50}end {GO_ON}\n", "")


@pytest.mark.usefixtures("terminal")
def test_a_line_is_written_where_the_bar_was(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(Work("lint", "line", total=10), FakeClock()) as meter:
        meter.advance(5, 5)
        before = capsys.readouterr().err
        say_aside("line 3: refused")
        said = capsys.readouterr().err
        meter.advance(6, 6)

    erased, _, after = said.partition("line 3: refused\n")
    assert "lint" in before
    assert erased.endswith("\x1b[2K")
    assert after.startswith("\x1b[?25l")
    assert "lint" in after
    say("it is over")
    assert capsys.readouterr().out == "it is over\n"
