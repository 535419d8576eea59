"""Tables on terminals of different widths."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from api_adapter.cli.tables import show_table

TIME = "2031-05-01T12:00:00.000Z"
MESSAGE_ID = "0a" * 16
Shown = Callable[..., list[str]]


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Return the lines of a table on a terminal of some width."""

    def show(width: int, headings: tuple[str, ...], *rows: tuple[str | Text, ...]) -> list[str]:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(width))
        show_table(headings, rows)
        return Text.from_ansi(capsys.readouterr().out).plain.splitlines()

    return show


def test_without_a_terminal_a_row_is_one_line_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("A", "B"), [("x" * 300, "[b]not markup[/b]"), ("y", Text("z"))])

    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["A", "B"]
    assert first.split(maxsplit=1) == ["x" * 300, "[b]not markup[/b]"]
    assert second.split() == ["y", "z"]


@pytest.mark.parametrize("width", [33, 34, 35])
def test_what_fits_is_a_table_to_the_last_column(shown: Shown, width: int) -> None:
    # Two columns with three lines between and around them, and a space on each side of a cell.
    lines = shown(width, ("Id", "When"), ("a" * 20, "b" * 7))

    is_table = any("│" in line for line in lines)
    assert is_table == (width >= 34)
    assert max(map(len, lines)) <= width
    assert all(any(part in line for line in lines) for part in ("a" * 20, "b" * 7))


def test_texts_of_several_words_are_folded_and_nothing_else(shown: Shown) -> None:
    message = "the gateway answered that it is busy and asks to be called again later"

    lines = shown(80, ("At", "Message", "Worker"), (TIME, message, "host-1.4711"))

    assert max(map(len, lines)) <= 80
    (first,) = (line for line in lines if TIME in line)
    assert "host-1.4711" in first
    assert " ".join(" ".join(line.split("│")[2].split()) for line in lines if "│" in line) == message


def test_what_has_no_room_for_a_table_is_a_block_a_row_with_every_id_whole(shown: Shown) -> None:
    headings = ("Died", "App", "requestId", "Channels", "messageId", "Note")
    channels = Text("PUSH F SYSTEM_BUSY (gcash)\nINBOX S")
    row = (TIME, "3333010071465913", "r" * 64, channels, MESSAGE_ID, "")

    lines = shown(80, headings, row, row)

    assert max(map(len, lines)) <= 80
    assert lines.count("") == 2
    block = lines[: lines.index("")]
    assert [line.rstrip() for line in block] == [
        f"Died       {TIME}",
        "App        3333010071465913",
        f"requestId  {'r' * 64}",
        "Channels   PUSH F SYSTEM_BUSY (gcash)",
        "           INBOX S",
        f"messageId  {MESSAGE_ID}",
    ]


def test_a_text_from_outside_can_not_move_the_cursor(shown: Shown) -> None:
    assert not any("\x1b" in line for line in shown(40, ("A", "B"), ("\x1b[2J" * 9, "b" * 30)))


TEXTS = st.text(st.sampled_from("ab 小\n"), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=3), st.integers(20, 100))
def test_whatever_the_width_is_no_character_is_lost_and_no_line_too_long(
    shown: Shown, rows: list[tuple[str, str, str]], width: int
) -> None:
    lines = shown(width, ("X", "Y", "Z"), *rows)

    assert all(cell_len(line) <= width for line in lines)
    for character in "ab小":
        assert "".join(lines).count(character) == sum(cell.count(character) for row in rows for cell in row)
