from dataclasses import replace
from ipaddress import ip_network

import pytest

from worker.contract.clients import ClientKey, RegisteredClient

NOW = 1_000_000
CLIENT = RegisteredClient("m", frozenset({"app"}), (ClientKey(1, "old", NOW), ClientKey(2, "new")))


def test_R27_a_key_is_valid_until_its_end_and_not_at_it() -> None:
    assert CLIENT.key(1, NOW - 1) == ClientKey(1, "old", NOW)
    assert CLIENT.key(1, NOW) is None


def test_R22_R38_a_version_that_the_client_has_not_got_is_none() -> None:
    assert CLIENT.key(3, NOW) is None
    assert CLIENT.key(0, NOW) is None


def test_R22_without_a_version_it_is_the_newest_key_even_if_that_one_has_ended() -> None:
    assert CLIENT.key(None, NOW - 1) == ClientKey(2, "new")
    assert replace(CLIENT, keys=(ClientKey(1, "old"), ClientKey(2, "new", NOW))).key(None, NOW) is None


def test_R27_a_rotation_ends_older_keys_after_the_overlap_and_forgets_what_has_ended() -> None:
    client = replace(CLIENT, keys=(ClientKey(1, "a", NOW), ClientKey(2, "b", NOW + 5), ClientKey(3, "c")))

    rotated = client.rotated("d", NOW, overlap=10, ends_at=NOW + 99)

    assert rotated.keys == (ClientKey(2, "b", NOW + 5), ClientKey(3, "c", NOW + 10), ClientKey(4, "d", NOW + 99))


def test_R27_without_an_overlap_the_older_keys_end_now() -> None:
    rotated = CLIENT.rotated("newer", NOW, overlap=0, ends_at=None)

    assert rotated.key(2, NOW) is None
    assert rotated.key(3, NOW) == ClientKey(3, "newer")


def test_R27_a_version_is_never_given_twice_though_all_keys_have_ended() -> None:
    client = replace(CLIENT, keys=(ClientKey(7, "a", NOW),))

    assert client.rotated("b", NOW, overlap=0, ends_at=None).keys == (ClientKey(8, "b"),)


@pytest.mark.parametrize(
    ("address", "may_call"),
    [
        ("203.0.113.0", True),
        ("203.0.113.255", True),
        ("203.0.112.255", False),
        ("203.0.114.0", False),
        ("::ffff:203.0.113.7", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("merchant.example", False),
    ],
)
def test_a_client_with_networks_may_call_from_those_alone(address: str, *, may_call: bool) -> None:
    client = replace(CLIENT, networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")))

    assert client.may_call_from(address) is may_call


def test_a_client_without_networks_may_call_from_anywhere() -> None:
    assert CLIENT.may_call_from("")
