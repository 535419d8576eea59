import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import PUSH, held, wallet_message
from worker.contract.messages import Lane
from worker.parcels import Line, LineByTurns, Parcel
from worker.routing import Errand


def parcel(
    name: str, lane: Lane = Lane.BULK, size: int = 20, errand: Errand = Errand.SEND, app_id: str = "shop"
) -> Parcel:
    one = held(name, app_id=app_id)
    one.lane = lane
    return Parcel(one, PUSH, wallet_message(name), size, errand)


def names(parcels: list[Parcel]) -> list[str]:
    return [one.message.message_id for one in parcels]


def test_interactive_sends_go_first() -> None:
    line = Line(10)
    line.put([parcel("b1"), parcel("s1", Lane.SINGLE), parcel("b2"), parcel("s2", Lane.SINGLE)])

    first = line.first_lane
    assert names(line.next_call(3)) == ["s1", "s2", "b1"]
    assert [first, line.first_lane] == [Lane.SINGLE, Lane.BULK]


def test_what_there_is_no_room_for_comes_back_the_newest_of_batches_first() -> None:
    line = Line(3)

    assert names(line.put([parcel("b1"), parcel("b2"), parcel("b3"), parcel("b4")])) == ["b4"]
    assert names(line.put([parcel("s1", Lane.SINGLE), parcel("s2", Lane.SINGLE)])) == ["b2", "b3"]
    assert names(line.put([parcel("s3", Lane.SINGLE), parcel("s4", Lane.SINGLE)])) == ["s4", "b1"]
    assert names(line.take_all()) == ["s1", "s2", "s3"]
    assert len(line) == 0


def test_by_turns_each_merchant_is_next_and_the_largest_is_pushed_out() -> None:
    line = LineByTurns(6)
    mine = [parcel(f"a{number}", app_id="a") for number in range(9)]
    others = [parcel(f"b{number}", app_id="b") for number in range(2)]

    assert names(line.put(mine)) == ["a6", "a7", "a8"]
    assert names(line.next_call(1)) == ["a0"]
    assert names(line.put(others)) == ["a5"]
    assert names(line.next_call(3)) == ["a1", "b0", "a2"]
    assert names(line.put([parcel("c0", app_id="c")])) == []
    assert names(line.take_all()) == ["b1", "a3", "c0", "a4"]


def test_by_turns_interactive_sends_go_first_all_the_same() -> None:
    line = LineByTurns(3)
    line.put([parcel("a0", app_id="a"), parcel("b0", app_id="b"), parcel("a1", app_id="a")])

    assert names(line.put([parcel(f"s{number}", Lane.SINGLE, app_id="a") for number in range(2)])) == ["b0", "a1"]
    assert names(line.take_all()) == ["s0", "s1", "a0"]


@pytest.mark.parametrize(
    ("sizes", "calls", "most", "fitting"),
    [
        ([20] * 50, 1, 100, 20),
        ([20] * 50, 2, 30, 30),
        ([20] * 50, 0, 30, 0),
        ([1] * 5, 3, 30, 3),
        ([20, 20, 5, 20], 1, 30, 4),
        ([5] * 7, 1, 30, 5),
        ([20] * 3, 9, 9, 3),
    ],
)
def test_what_fits_into_some_calls(sizes: list[int], calls: int, most: int, fitting: int) -> None:
    line = Line(100)
    line.put([parcel(f"m{place}", size=size) for place, size in enumerate(sizes)])

    assert line.fitting(calls, most) == fitting


@given(
    st.lists(st.tuples(st.sampled_from(Lane), st.sampled_from([1, 2, 5, 20]), st.sampled_from(Errand)), max_size=40),
    st.integers(1, 5),
    st.integers(1, 30),
)
def test_what_fits_is_what_so_many_calls_take(given: list[tuple[Lane, int, Errand]], calls: int, most: int) -> None:
    line = Line(100)
    line.put([parcel(f"m{place}", *one) for place, one in enumerate(given)])
    fitting = line.fitting(calls, most)

    taken = 0
    for _ in range(calls):
        if len(line) and taken < most:
            taken += len(line.next_call(most - taken))

    assert fitting == taken
