"""Accept and probe: taking a message once, in one home (DESIGN 1, 2; CONTRACT R41, R50)."""

import pytest

from tests.ledger_driver import START, OpenLedger, expiring, final, ids, new_message, new_messages, waiting
from worker.contract.messages import Acceptance, Channel, DeliveryState, Lane, NewMessage
from worker.contract.outcomes import Tally
from worker.ports import Probe

DUE, BACKLOGGED = Acceptance.DUE, Acceptance.BACKLOGGED
REPEATED, INCONSISTENT, ABSENT = Acceptance.REPEATED, Acceptance.INCONSISTENT, Acceptance.ABSENT


def test_a_new_message_is_recorded_and_due_after_a_grace(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=3_000)
    message = new_message("r1", channels=(Channel.PUSH, Channel.INBOX))

    assert ledger.accept([message]) == [DUE]

    state = ledger.state()
    assert state.due == {message.message_id: START + 3_000}
    assert state.payloads == {message.message_id: b"payload of r1"}
    assert state.window == {(Lane.BULK, "shop", message.message_id)}
    taken = Tally(accepted=1, open=1)
    assert state.tallies == {("shop", Channel.PUSH): taken, ("shop", Channel.INBOX): taken}


def test_R70_the_record_of_a_new_message_tells_what_was_taken(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = new_message("r1")
    ledger.accept([message], lane=Lane.SINGLE)

    outcome = ledger.find(message.message_id)

    assert (outcome.app_id, outcome.request_id, outcome.client_id, outcome.lane) == (
        "shop",
        "r1",
        "client",
        Lane.SINGLE,
    )
    assert (outcome.template_code, outcome.template_version, outcome.language) == ("PAY", 3, "en")
    assert (outcome.taken_at, outcome.expires_at) == (START, START + message.deliver_within)
    assert (outcome.attempts, outcome.tries, outcome.crashes, outcome.timeline) == (0, 0, 0, ())


def test_R50_a_repeat_with_the_same_content_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    messages = new_messages(3)
    ledger.accept(messages)
    before = ledger.state()
    ledger.advance(10_000)

    assert ledger.accept(messages) == [REPEATED] * 3
    assert ledger.state() == before


def test_R50_a_repeat_in_another_lane_does_not_move_the_message(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")], lane=Lane.BULK)
    before = ledger.state()

    assert ledger.accept([new_message("r1")], lane=Lane.SINGLE) == [REPEATED]
    assert ledger.state() == before


@pytest.mark.parametrize(
    "changed",
    [new_message("r1", fingerprint="other"), new_message("r1", user="other")],
    ids=["content", "user"],
)
def test_R41_a_known_request_with_another_content_or_user_is_inconsistent_and_changes_nothing(
    open_ledger: OpenLedger, changed: NewMessage
) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")])
    before = ledger.state()

    assert ledger.accept([changed]) == [INCONSISTENT]
    assert ledger.state() == before


def test_R50_a_request_named_twice_in_one_call_is_taken_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    same, other = new_message("r1"), new_message("r1", fingerprint="other")

    assert ledger.accept([same, same, other]) == [DUE, REPEATED, INCONSISTENT]
    assert ledger.state().tallies == {("shop", Channel.PUSH): Tally(accepted=1, open=1)}


def test_R50_a_repeat_after_the_outcome_is_final_is_answered_the_same(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")])
    ledger.settle([final(claim) for claim in ledger.claim(ids([new_message("r1")]))])
    before = ledger.state()

    assert ledger.accept([new_message("r1"), new_message("r1", user="other")]) == [REPEATED, INCONSISTENT]
    assert ledger.state() == before


def test_what_exceeds_the_merchants_window_waits_in_its_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=3)
    messages = new_messages(6)

    assert ledger.accept(messages) == [DUE] * 3 + [BACKLOGGED] * 3

    state = ledger.state()
    assert state.due.keys() == set(ids(messages[:3]))
    assert state.backlogs == {(0, Lane.BULK, "shop"): waiting(messages[3:])}
    assert state.tallies == {("shop", Channel.PUSH): Tally(accepted=6, open=6)}


def test_a_newcomer_waits_behind_its_merchants_backlog_even_if_the_window_has_room(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=2)
    messages = new_messages(4)
    ledger.accept(messages[:3])
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:2]))])
    ledger.advance(1)

    assert ledger.accept([messages[3]]) == [BACKLOGGED]
    assert ledger.state().backlogs == {(0, Lane.BULK, "shop"): tuple(ids(messages[2:]))}


def test_a_backlog_is_in_the_order_of_its_deadlines(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=0)
    late, early, middle = (expiring(f"r{within}", within) for within in (90, 10, 50))
    ledger.accept([late, early])
    ledger.advance(1)
    ledger.accept([middle])

    state = ledger.state()

    assert state.backlogs == {(0, Lane.BULK, "shop"): tuple(ids([early, middle, late]))}
    assert state.deadlines == dict(zip(ids([early, middle, late]), (START + 10, START + 51, START + 90), strict=True))


def test_each_lane_of_a_merchant_has_a_window_of_its_own(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1, window_single=2)

    assert ledger.accept(new_messages(3, prefix="b"), lane=Lane.BULK) == [DUE, BACKLOGGED, BACKLOGGED]
    assert ledger.accept(new_messages(3, prefix="s"), lane=Lane.SINGLE) == [DUE, DUE, BACKLOGGED]


@pytest.mark.parametrize("neighbour", ["sho", "shop!", 'shop"', "shop$", "shopp", "shop$1", "商店"])
def test_a_merchant_with_a_similar_name_does_not_fill_the_window(open_ledger: OpenLedger, neighbour: str) -> None:
    ledger = open_ledger(window_bulk=2)
    ledger.accept(new_messages(2, app_id=neighbour), app_id=neighbour)

    assert ledger.accept(new_messages(3)) == [DUE, DUE, BACKLOGGED]


def test_each_shard_has_windows_of_its_own_and_answers_come_in_the_order_asked(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4, window_bulk=2)
    messages = new_messages(24)
    first = ledger.accept(messages)

    again = ledger.accept([new_message("new"), *messages[::-1]])

    assert first.count(DUE) == 8
    assert again == [BACKLOGGED] + [REPEATED] * 24
    open_ones = {*ledger.state().due, *(one for waiting in ledger.state().backlogs.values() for one in waiting)}
    assert open_ones == set(ids([*messages, new_message("new")]))


def test_more_messages_than_one_script_takes_fill_the_window_exactly(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=300)
    messages = new_messages(450)

    assert ledger.accept(messages) == [DUE] * 300 + [BACKLOGGED] * 150
    assert ledger.state().backlogs == {(0, Lane.BULK, "shop"): waiting(messages[300:])}


def test_R73_a_channel_the_user_opted_out_of_counts_for_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = new_message("r1", channels=(Channel.PUSH,), skipped=(Channel.INBOX,))
    ledger.accept([message])

    states = {delivery.channel: delivery.state for delivery in ledger.find(message.message_id).deliveries}

    assert states == {Channel.PUSH: DeliveryState.OPEN, Channel.INBOX: DeliveryState.SKIPPED}
    assert ledger.state().tallies == {("shop", Channel.PUSH): Tally(accepted=1, open=1)}


def test_taking_nothing_answers_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    assert ledger.accept([]) == []


def test_R50_a_probe_says_what_is_known_in_order_and_takes_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4)
    messages = new_messages(8)
    ledger.accept(messages)
    before = ledger.state()
    probes = [Probe(message.message_id, "content", "user") for message in messages]
    probes.insert(3, Probe("f" * 32, "content", "user"))
    probes.append(Probe(messages[0].message_id, "other", "user"))
    expected = [REPEATED] * 3 + [ABSENT] + [REPEATED] * 5 + [INCONSISTENT]

    assert ledger.probe(probes) == expected
    assert ledger.probe(probes) == expected
    assert ledger.state() == before


@pytest.mark.parametrize(
    ("fingerprint", "user", "expected"),
    [
        ("content", "", REPEATED),
        ("content", "other", INCONSISTENT),
        ("other", "", INCONSISTENT),
    ],
)
def test_R50_a_probe_without_a_user_compares_the_content_alone(
    open_ledger: OpenLedger, fingerprint: str, user: str, expected: Acceptance
) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")])

    assert ledger.probe([Probe(new_message("r1").message_id, fingerprint, user)]) == [expected]
