from hypothesis import given
from hypothesis import strategies as st

from worker.batching import chunks


def test_a_sequence_is_cut_in_order() -> None:
    assert list(chunks("abcdefg", 3)) == ["abc", "def", "g"]
    assert list(chunks("abcdef", 3)) == ["abc", "def"]
    assert list(chunks("", 3)) == []


@given(st.lists(st.integers(), max_size=50), st.integers(1, 60))
def test_nothing_is_lost_and_only_the_last_chunk_is_short(items: list[int], size: int) -> None:
    found = list(chunks(items, size))

    assert [item for chunk in found for item in chunk] == items
    assert all(len(chunk) == size for chunk in found[:-1])
    assert all(0 < len(chunk) <= size for chunk in found)
