import enum
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import DataError

from worker.adapters.redis.resp import packed_command

WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text("abc", min_size=1_000, max_size=1_100),
    st.binary(),
    st.integers(),
    st.floats(),
)


class Lane(enum.StrEnum):
    BULK = "bulk"


class Code(enum.IntEnum):
    DONE = 1


@given(st.lists(WORDS))
def test_a_command_is_packed_as_by_hiredis(arguments: list[str | bytes | int | float]) -> None:
    words: tuple[Any, ...] = ("EVALSHA", *arguments)

    assert packed_command(words) == hiredis.pack_command(words)


def test_an_enumeration_is_its_value() -> None:
    assert packed_command(["SET", Lane.BULK, Code.DONE]) == b"*3\r\n$3\r\nSET\r\n$4\r\nbulk\r\n$1\r\n1\r\n"


@pytest.mark.parametrize("size", [0, 1_023, 1_024, 1_025])
def test_a_length_is_right_wherever_it_comes_from(size: int) -> None:
    assert packed_command([b"x" * size]) == b"*1\r\n$%d\r\n%b\r\n" % (size, b"x" * size)


@pytest.mark.parametrize("word", [None, True, ("a",), object()])
def test_what_redis_does_not_take_is_refused_and_not_quoted(word: object) -> None:
    with pytest.raises(DataError, match=f"no {type(word).__name__}$"):
        packed_command(["SET", word])
