import pytest

from worker.contract.dead_letters import Position, PositionError, label


def test_a_position_is_read_as_it_was_written() -> None:
    position = Position(1_700_000_000_000, "0a" * 16)

    assert Position.parse(position.text) == position
    assert position.text == f"1700000000000-{'0a' * 16}"


@pytest.mark.parametrize("text", ["", "1700000000000", f"1700000000000-{'0A' * 16}", f"1-{'0a' * 16}", "next"])
def test_a_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(PositionError, match="cursor"):
        Position.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("BUSY", "BUSY"), ("NOT SO|FAST\n", "NOT_SO_FAST_"), ("\x00\x1f\x7f", "___"), ("忙碌", "忙碌"), ("", "")],
)
def test_a_label_has_no_character_that_parts_fields(text: str, expected: str) -> None:
    assert label(text) == expected
