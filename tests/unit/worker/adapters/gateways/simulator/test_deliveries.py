"""The record: each messageId's tally, the totals, and the content of the last deliveries."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.worker.adapters.gateways.simulator.conftest import MakeMessage
from worker.adapters.gateways.simulator.calls import CallMessage
from worker.adapters.gateways.simulator.deliveries import UNSEEN, Deliveries, Idempotency, Tally
from worker.contract.messages import Channel

NOON = 1_700_000_000_000


def message(key: str, customer: str = "ann") -> CallMessage:
    """Return a message without validating it."""
    return CallMessage(
        messageId=key,
        customerId=customer,
        messageChannel=Channel.PUSH,
        templateCode="T",
        messageContent="{}",
        redirectUrl=None,
        extendInfo=None,
    )


def test_a_key_never_seen_has_an_empty_tally() -> None:
    assert Deliveries().tally("nobody") == UNSEEN == Tally(calls=0, turns=0, delivered=0)


def test_a_delivered_key_is_shown_once(make_message: MakeMessage) -> None:
    deliveries = Deliveries()
    for _ in range(3):
        deliveries.deliver(make_message(messageId="k"), "deliver", turns=0, at=NOON)

    assert (deliveries.tally("k"), len(list(deliveries.of_message("k")))) == (Tally(3, 0, 1), 1)


def test_a_repeated_call_after_delivery_is_counted(make_message: MakeMessage) -> None:
    deliveries = Deliveries()
    deliveries.withhold(make_message(), "retry", turns=1)
    for _ in range(3):
        deliveries.deliver(make_message(), "deliver", turns=1, at=NOON)

    assert (deliveries.counts.repeated_calls, deliveries.counts.delivered_twice) == (2, 0)


def test_without_idempotency_a_repeated_key_is_shown_again(make_message: MakeMessage) -> None:
    deliveries = Deliveries(Idempotency.IGNORED)
    for _ in range(3):
        deliveries.deliver(make_message(messageId="k"), "deliver", turns=0, at=NOON)
    counts = deliveries.counts

    assert (counts.delivered, counts.delivered_keys, counts.delivered_twice) == (3, 1, 1)


def test_the_totals_are_kept_by_channel_and_behaviour(make_message: MakeMessage) -> None:
    deliveries = Deliveries()
    inbox = make_message(messageId="i", messageChannel="INBOX", messageContent='{"body":{"title":"","content":""}}')
    deliveries.deliver(inbox, "slow", turns=1, at=NOON)
    deliveries.withhold(make_message(messageId="p"), "fail", turns=1)
    counts = deliveries.counts

    assert (counts.messages_by_channel, counts.delivered_by_channel, counts.messages_by_behaviour) == (
        {"INBOX": 1, "PUSH": 1},
        {"INBOX": 1},
        {"slow": 1, "fail": 1},
    )


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=60),
    st.sampled_from(list(Idempotency)),
)
def test_the_totals_are_the_sums_of_the_tallies(calls: list[tuple[str, bool]], idempotency: Idempotency) -> None:
    deliveries = Deliveries(idempotency)
    for key, is_shown in calls:
        if is_shown:
            deliveries.deliver(message(key), "deliver", turns=0, at=NOON)
        else:
            deliveries.withhold(message(key), "retry", turns=1)
    tallies = [deliveries.tally(key) for key in set("abcdef")]
    counts = deliveries.counts

    assert (counts.messages, counts.delivered, counts.delivered_keys, counts.delivered_twice, deliveries.keys) == (
        sum(tally.calls for tally in tallies),
        sum(tally.delivered for tally in tallies),
        sum(tally.delivered > 0 for tally in tallies),
        sum(tally.delivered > 1 for tally in tallies),
        len({key for key, _ in calls}),
    )


@given(st.integers(0, 30), st.integers(1, 10), st.integers(1, 7))
def test_pages_follow_each_other_without_gap_or_overlap(shown: int, kept: int, limit: int) -> None:
    deliveries = Deliveries(kept=kept)
    for number in range(shown):
        deliveries.deliver(message(str(number)), "deliver", turns=0, at=NOON)
    seen: list[int] = []
    while page := deliveries.page(after=seen[-1] if seen else 0, limit=limit):
        seen += [delivery.number for delivery in page]

    assert seen == list(range(max(shown - kept, 0) + 1, shown + 1))
    assert all(later == earlier + 1 for earlier, later in pairwise(seen))


def test_only_the_last_deliveries_keep_their_content_and_all_keep_their_tally() -> None:
    deliveries = Deliveries(kept=2)
    for key in "abc":
        deliveries.deliver(message(key), "deliver", turns=0, at=NOON)

    assert (list(deliveries.of_message("a")), deliveries.tally("a").delivered) == ([], 1)


def test_what_a_user_got_is_found_by_customer() -> None:
    deliveries = Deliveries()
    for key, customer in (("a", "ann"), ("b", "bob"), ("c", "ann")):
        deliveries.deliver(message(key, customer), "deliver", turns=0, at=NOON)

    assert [delivery.message["messageId"] for delivery in deliveries.of_customer("ann")] == ["a", "c"]


def test_a_reset_forgets_everything() -> None:
    deliveries = Deliveries()
    deliveries.deliver(message("a"), "deliver", turns=0, at=NOON)
    deliveries.reset()

    assert (deliveries.keys, deliveries.tally("a"), deliveries.page(0, 10)) == (0, UNSEEN, [])
    assert deliveries.counts == Deliveries().counts


def test_a_key_costs_about_200_bytes() -> None:
    deliveries = Deliveries(kept=1)
    keys = 20_000
    tracemalloc.start()
    for number in range(keys):
        deliveries.deliver(message(f"{number:032x}-PUSH"), "deliver", turns=0, at=NOON)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert used / keys < 220
