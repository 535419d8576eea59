"""What the faults send."""

from collections import Counter
from itertools import pairwise

import orjson
import pytest

from api_adapter.drill.faults import CATALOGUE
from api_adapter.drill.sends import APP_ID, SECOND_WALLET, Via, ordinary

FAULTS = {fault.name: fault for fault in CATALOGUE}


def test_one_in_ten_ordinary_notices_goes_over_http() -> None:
    assert Counter(send.via for send in ordinary(1_000)) == {Via.HTTP: 100, Via.BATCH: 900}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("messages", [50, 20_000])
def test_no_requestid_is_sent_for_two_messages_and_the_number_is_that_asked_for(name: str, messages: int) -> None:
    sends = FAULTS[name].sends(messages)

    assert len({send.message_id for send in sends}) == len(sends)
    # One is sent beside the load: that which comes a thousand times, and that which is being written at a power loss.
    assert len(sends) == messages + (name in {"same-request", "power-lost-always"})


def test_a_token_and_its_grant_are_those_of_the_customer_the_notice_goes_to() -> None:
    send = ordinary(1)[0]

    assert (send.grant.app_id, send.grant.user.customer_id) == (APP_ID, send.customer_id)
    assert orjson.loads(send.body)["accessToken"] == send.token


@pytest.mark.parametrize(("messages", "poison"), [(50, 2), (200, 10), (4_000, 200), (20_000, 200)])
def test_poison_is_one_for_twenty_good_ones_at_most_200_and_spread_among_them(messages: int, poison: int) -> None:
    sends = FAULTS["poison"].sends(messages)

    places = [place for place, send in enumerate(sends) if send.customer_id.startswith("poison-")]
    gaps = {after - before for before, after in pairwise(places)}
    assert (len(places), len(gaps)) == (poison, 1)


def test_a_flood_is_four_times_what_the_others_send_and_goes_to_another_gateway() -> None:
    sends = FAULTS["flood"].sends(1_000)

    assert Counter((send.via is Via.FAULT, send.wallet == SECOND_WALLET) for send in sends) == {
        (True, True): 800,
        (False, False): 200,
    }
    assert {send.app_id == APP_ID for send in sends if send.via is Via.FAULT} == {False}
