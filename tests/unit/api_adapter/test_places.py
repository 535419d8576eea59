from contextlib import ExitStack

import pytest

from api_adapter.places import AT_ONCE, AT_ONCE_PER_CLIENT, Places


def held(places: Places, stack: ExitStack, *clients: str) -> list[bool]:
    return [stack.enter_context(places.take(client)) for client in clients]


@pytest.mark.parametrize(
    ("clients", "expected"),
    [
        (["a"] * (AT_ONCE_PER_CLIENT - 1), [True] * (AT_ONCE_PER_CLIENT - 1)),
        (["a"] * AT_ONCE_PER_CLIENT, [True] * AT_ONCE_PER_CLIENT),
        (["a"] * (AT_ONCE_PER_CLIENT + 1), [True] * AT_ONCE_PER_CLIENT + [False]),
        (["a"] * (AT_ONCE_PER_CLIENT + 1) + ["b"], [True] * AT_ONCE_PER_CLIENT + [False, True]),
    ],
    ids=["under", "at", "over", "another client"],
)
def test_one_client_has_so_many_places_and_others_have_the_rest(clients: list[str], expected: list[bool]) -> None:
    with ExitStack() as stack:
        assert held(Places(), stack, *clients) == expected


@pytest.mark.parametrize("number", [AT_ONCE - 1, AT_ONCE, AT_ONCE + 1])
def test_all_clients_together_have_so_many_places(number: int) -> None:
    with ExitStack() as stack:
        found = held(Places(), stack, *(f"client-{index}" for index in range(number)))

    assert found == [index < AT_ONCE for index in range(number)]


def test_a_place_is_given_back_however_its_block_ends() -> None:
    places = Places()

    def fail() -> None:
        with places.take("a") as has_place:
            assert has_place
            raise ValueError("broken")

    for _ in range(AT_ONCE_PER_CLIENT + 1):
        with pytest.raises(ValueError, match="broken"):
            fail()


def test_who_got_no_place_gives_none_back() -> None:
    places = Places()

    with ExitStack() as stack:
        held(places, stack, *["a"] * AT_ONCE_PER_CLIENT)
        for _ in range(3):
            with places.take("a") as has_place:
                assert not has_place
