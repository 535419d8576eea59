import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.identity import delivery_key, message_id, shard_of
from worker.contract.messages import Channel

IDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="@#?"), min_size=1, max_size=64)


def test_R50_message_id_never_changes_between_releases() -> None:
    assert message_id("3333010071465913", "10017019") == "069d76e0dd0064a5b9a029c5851bf2ad"


@given(IDS, IDS)
def test_R50_message_id_is_32_hex_digits_and_the_same_each_time(app_id: str, request_id: str) -> None:
    found = message_id(app_id, request_id)

    assert len(found) == 32
    assert set(found) <= set(string.hexdigits.lower())
    assert message_id(app_id, request_id) == found


@given(st.tuples(IDS, IDS), st.tuples(IDS, IDS))
def test_R3_message_ids_are_equal_only_for_the_same_app_and_request(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (message_id(*one) == message_id(*other)) == (one == other)


def test_R3_a_request_id_is_scoped_by_its_app_wherever_the_pair_is_cut() -> None:
    assert message_id("app1", "23") != message_id("app12", "3")


@given(IDS, IDS, st.integers(1, 1024))
def test_shard_is_below_the_number_of_shards(app_id: str, request_id: str, shards: int) -> None:
    assert 0 <= shard_of(message_id(app_id, request_id), shards) < shards


def test_shards_are_filled_evenly() -> None:
    filled = [0] * 16
    for number in range(16_000):
        filled[shard_of(message_id("app", str(number)), 16)] += 1

    assert min(filled) > 800
    assert max(filled) < 1200


@pytest.mark.parametrize("shards", [1, 16, 1024])
def test_shard_is_read_from_the_message_id_alone(shards: int) -> None:
    assert shard_of("0000001f" + "a" * 24, shards) == 31 % shards


@given(IDS, IDS)
def test_R66_push_and_inbox_of_one_send_have_different_ids_that_the_wallet_takes(app_id: str, request_id: str) -> None:
    whole = message_id(app_id, request_id)
    keys = {delivery_key(whole, channel) for channel in Channel}

    assert len(keys) == len(Channel)
    assert all(len(key) <= 64 for key in keys)
    assert all(key.startswith(whole) for key in keys)
