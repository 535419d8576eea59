import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.moments import moment_text, read_moment

AT = 1_559_016_734_000


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2019-05-28T12:12:14+08:00", AT),
        ("2019-05-28T12:12:14+0800", AT),
        ("2019-05-28T04:12:14Z", AT),
        ("2019-05-28T04:12:14.250Z", AT + 250),
        ("2019-05-28T04:12:14.250999999Z", AT + 250),
        ("1559016734000", AT),
        ("0", 0),
    ],
)
def test_R21_a_moment_is_iso_8601_with_offset_or_milliseconds(text: str, milliseconds: int) -> None:
    assert read_moment(text) == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", "now", "2019-05-28", "2019-05-28T12:12:14", "-1", "1e9", "9" * 64, "9" * 5000, "2019-13-01T00:00:00Z"],
    ids=lambda text: f"{text[:20]}-{len(text)}",
)
def test_R21_anything_else_is_none(text: str) -> None:
    assert read_moment(text) is None


@given(st.text())
def test_R21_any_text_is_read_or_none(text: str) -> None:
    read_moment(text)


@given(st.integers(0, 4_000_000_000_000))
def test_a_moment_is_read_back_from_its_text(milliseconds: int) -> None:
    assert read_moment(moment_text(milliseconds)) == milliseconds


@pytest.mark.parametrize(("length", "is_read"), [(63, True), (64, True), (65, False)])
def test_R21_a_moment_has_at_most_64_characters(length: int, is_read: bool) -> None:  # noqa: FBT001
    text = "2019-05-28T04:12:14.".ljust(length - 1, "0") + "Z"

    assert read_moment(text) == (AT if is_read else None)
