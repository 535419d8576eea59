"""Cancelling: what no gateway was asked for ends as F CANCELLED; everything else is said and goes on (R43, issue 4)."""

from collections import Counter

import pytest

from tests.ledger_driver import (
    START,
    OpenLedger,
    dead,
    final,
    ids,
    learnt,
    new_message,
    new_messages,
    retry,
)
from worker.contract.callbacks import OutcomeKey
from worker.contract.cancellations import Cancelled, Standing
from worker.contract.codes import ResultStatus
from worker.contract.messages import Acceptance, Channel, DeliveryState, Lane, Settlement, Verdict
from worker.contract.origins import BatchPart, BatchStart, BatchTally, Origin
from worker.contract.outcomes import Intervention, InterventionKind, Tally

SHOP = Origin("shop")
B1 = Origin("shop", "b1")
BOTH = (Channel.PUSH, Channel.INBOX)
C = Cancelled


def test_a_cancelled_message_is_F_and_out_of_every_index(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1, retention=1_000)
    messages = [new_message("due", channels=BOTH), new_message("waits", skipped=(Channel.INBOX,))]
    ledger.accept(messages)
    ledger.advance(5)

    for _ in range(2):
        assert ledger.cancel(ids(messages), reason="wrong price | typo") == [C.CANCELLED] * 2

    state = ledger.state()
    assert (state.due, state.backlogs, state.window, state.payloads, state.released) == ({}, {}, frozenset(), {}, {})
    assert state.retention == dict.fromkeys(ids(messages), START + 1_005)
    outcome = ledger.find(messages[0].message_id)
    assert {(one.state, one.code, one.at) for one in outcome.deliveries} == {(DeliveryState.F, "CANCELLED", START + 5)}
    assert (outcome.whole.status, outcome.settled_at) == (ResultStatus.F, START + 5)
    note = Intervention(0, START + 5, InterventionKind.CANCELLED, "", "", "wrong price | typo")
    assert outcome.interventions == (note,)
    assert state.tallies == {
        ("shop", Channel.PUSH): Tally(accepted=2, F=2),
        ("shop", Channel.INBOX): Tally(accepted=1, F=1),
    }


def test_R43_a_repeat_of_a_cancelled_requestId_is_the_same_message(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = new_message("r1")
    ledger.accept([message])
    ledger.cancel([message.message_id])

    assert ledger.accept([message]) == [Acceptance.REPEATED]
    assert ledger.claim([message.message_id]) == []
    assert ledger.state().due == {}


def test_a_cancelled_message_is_forgotten_after_the_retention(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1_000)
    ledger.accept([new_message("r1")], part=BatchPart("b1"))
    ledger.cancel([new_message("r1").message_id])
    ledger.advance(1_000)

    assert ledger.forget() == 1
    assert ledger.state().tallies == {("shop", Channel.PUSH): Tally(accepted=1, forgotten=1)}
    assert ledger.state().batch_tallies == {}


def test_what_a_worker_holds_goes_on(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=6_000)
    message = new_message("r1")
    ledger.accept([message])
    (claim,) = ledger.claim([message.message_id])

    assert ledger.cancel([message.message_id]) == [C.HELD]
    ledger.advance(6_000)
    assert ledger.cancel([message.message_id]) == [C.HELD]
    ledger.settle([final(claim)])
    assert ledger.cancel([message.message_id]) == [C.FINAL]
    assert ledger.find(message.message_id).whole.status is ResultStatus.S


def test_what_a_gateway_was_asked_for_goes_on(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = new_message("r1", channels=BOTH)
    ledger.accept([message])
    (claim,) = ledger.claim([message.message_id])
    ledger.settle([retry(claim, 1_000, learnt(DeliveryState.S, channel=Channel.INBOX))])

    assert ledger.cancel([message.message_id]) == [C.TRIED]
    assert ledger.state().waiting


def test_what_was_given_back_unsent_is_cancelled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = new_message("r1")
    ledger.accept([message])
    (claim,) = ledger.claim([message.message_id])
    ledger.settle([Settlement(claim.message_id, claim.claim_id, claim.attempt, Verdict.RETRY, (), delay=5_000)])

    assert ledger.cancel([message.message_id]) == [C.CANCELLED]
    assert (ledger.state().due, ledger.state().waiting) == ({}, frozenset())
    assert ledger.find(message.message_id).interventions[0].after_attempt == 1


def test_a_replayed_letter_was_tried_in_its_first_life(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = new_message("r1")
    ledger.accept([message])
    ledger.settle([dead(claim) for claim in ledger.claim([message.message_id])])
    assert ledger.cancel([message.message_id]) == [C.FINAL]
    ledger.replay(ledger.letters().letters)

    assert ledger.cancel([message.message_id]) == [C.TRIED]


def test_answers_are_in_the_order_of_what_was_named(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3)
    messages = new_messages(500)
    ledger.accept(messages[:450], part=BatchPart("b1"))
    ledger.accept(messages[450:499], lane=Lane.SINGLE)
    ledger.accept([new_message("r1", "cafe")], app_id="cafe")
    named = [messages[499].message_id, new_message("r1", "cafe").message_id, *ids(messages[:499]), "f" * 32]

    answers = ledger.cancel([*named, named[2]])

    assert answers == [C.UNKNOWN, C.UNKNOWN, *[C.CANCELLED] * 499, C.UNKNOWN, C.CANCELLED]


def test_all_that_a_merchant_has_open_is_cancelled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2, window_bulk=20)
    ledger.accept(new_messages(700))
    ledger.accept(new_messages(250, prefix="b"), part=BatchPart("b1", BatchStart.PAUSED))
    ledger.accept(new_messages(10, prefix="s"), lane=Lane.SINGLE)
    ledger.accept(new_messages(5, app_id="shop1"), app_id="shop1")
    held = [claim for shard in range(2) for claim in ledger.claim(ids(new_messages(700)), "claim-1", shard)]
    ledger.settle([retry(claim, 60_000) for claim in held[:10]])
    assert ledger.standing(SHOP) == Standing(backlogged=910, due=50)

    assert ledger.cancel_all(SHOP) == Counter({C.CANCELLED: 920, C.HELD: 30, C.TRIED: 10})

    assert ledger.standing(SHOP) == Standing(backlogged=0, due=40)
    assert ledger.cancel_all(SHOP) == Counter({C.HELD: 30, C.TRIED: 10})
    assert ledger.standing(Origin("shop1")) == Standing(backlogged=0, due=5)
    assert ledger.tally(B1) == BatchTally(taken=250, F=250)


def test_all_of_one_batch_is_cancelled_and_nothing_else(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=3)
    ledger.accept(new_messages(2, prefix="b"), part=BatchPart("b1"))
    ledger.accept(new_messages(2))
    ledger.accept(new_messages(2, prefix="c"), part=BatchPart("b1"))
    assert ledger.standing(B1) == Standing(backlogged=2, due=2)

    assert ledger.cancel_all(B1) == Counter({C.CANCELLED: 4})

    assert ledger.standing(SHOP) == Standing(backlogged=1, due=1)


def test_what_must_stay_in_a_backlog_keeps_nothing_behind_it_from_being_cancelled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=300)
    tried = new_messages(250, prefix="tried")
    ledger.accept(tried)
    ledger.settle([dead(claim) for claim in ledger.claim(ids(tried))])
    ledger.pause(SHOP)
    ledger.replay(ledger.letters(most=1_000).letters, within=1)
    ledger.accept(new_messages(250))

    assert ledger.cancel_all(SHOP) == Counter({C.CANCELLED: 250, C.TRIED: 250})


def test_a_pause_outlives_what_was_cancelled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")])
    ledger.pause(SHOP)
    ledger.cancel_all(SHOP)

    assert ledger.state().stopped == {}
    assert ledger.accept([new_message("r2")]) == [Acceptance.BACKLOGGED]


@pytest.mark.parametrize(("told", "calls"), [("F", 1), ("S", 0)])
def test_the_merchant_is_told_that_a_message_was_cancelled_if_it_wants_to_hear_of_F(
    open_ledger: OpenLedger, told: str, calls: int
) -> None:
    ledger = open_ledger()
    message = new_message("r1")
    ledger.accept([message], told=frozenset({ResultStatus(told)}))

    for _ in range(2):
        ledger.cancel([message.message_id])

    assert ledger.state().outbox == ({OutcomeKey("shop", message.message_id, 1): START} if calls else {})


def test_what_is_staged_waits_for_its_decision_and_leaves_nothing_behind_when_it_is_withdrawn(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    staged = new_messages(3)
    ledger.accept(staged, part=BatchPart("b1", BatchStart.STAGED))

    assert ledger.cancel(ids(staged)) == [Cancelled.HELD] * 3
    assert ledger.cancel_all(Origin("shop")) == {Cancelled.HELD: 3}
    ledger.withdraw(B1)

    assert ledger.state().records == {}
    assert ledger.accept(staged) == [Acceptance.DUE] * 3


def test_nothing_to_cancel_is_no_fault(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3)

    assert (ledger.cancel_all(SHOP), ledger.cancel([])) == (Counter(), [])
