"""The outbox and the merchants' queues: nothing leaves them before it is delivered or given up."""

import pytest

from tests.ledger_driver import START, LedgerDriver, OpenLedger, dead, final, ids, new_message, new_messages
from worker.contract.callbacks import (
    EVERY_OUTCOME,
    CallbackSettlement,
    CallbackVerdict,
    DueCallback,
    FinalMessage,
    OutcomeKey,
)
from worker.contract.codes import ResultStatus
from worker.contract.figures import CallbackFigures, Crowd
from worker.contract.origins import BatchPart

DELIVERED, RETRY, DEAD, BACK = CallbackVerdict
MESSAGE = new_message("r1")
KEY = OutcomeKey("shop", MESSAGE.message_id, 1)
PLACE = (0, "shop")


def with_final(open_ledger: OpenLedger, number: int = 1, **limits: int) -> LedgerDriver:
    """Return a ledger with so many messages of the shop that have S."""
    ledger = open_ledger(**limits)
    messages = [MESSAGE, *new_messages(number - 1, prefix="more")]
    ledger.accept(messages, told=EVERY_OUTCOME)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages))])
    return ledger


def final_message(callback: DueCallback) -> FinalMessage:
    assert isinstance(callback.told, FinalMessage)
    return callback.told


def settled(callback: DueCallback, verdict: CallbackVerdict, delay: int = 0, tries: int = 1) -> CallbackSettlement:
    return CallbackSettlement(callback, verdict, delay, tries, "HTTP 500")


def test_what_became_final_is_due_at_once_and_says_what_happened(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    ledger.advance(5)

    (callback,) = ledger.claim_callbacks(lease=1_000)

    assert (callback.key, callback.lease_until) == (KEY, START + 1_005)
    told = final_message(callback)
    assert (told.request_id, told.whole.status) == ("r1", ResultStatus.S)
    assert (told.taken_at, told.at, callback.since, callback.tries) == (START, START, START, 0)


def test_a_callback_names_the_batch_of_its_message(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([MESSAGE], told=EVERY_OUTCOME, part=BatchPart("june"))
    ledger.settle([final(claim) for claim in ledger.claim([MESSAGE.message_id])])

    assert [final_message(callback).batch_id for callback in ledger.claim_callbacks()] == ["june"]


def test_a_callback_is_taken_by_one_alone_until_its_lease_ends(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    assert len(ledger.claim_callbacks(lease=1_000)) == 1

    assert ledger.claim_callbacks() == []
    ledger.advance(999)
    assert ledger.claim_callbacks() == []
    ledger.advance(1)
    assert [callback.key for callback in ledger.claim_callbacks()] == [KEY]


def test_a_callback_is_due_where_its_queue_is_named_and_nowhere_else(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)

    assert ledger.due_callbacks() == [PLACE]
    assert ledger.claim_callbacks({(0, "cafe"): 10}) == []
    assert len(ledger.claim_callbacks({PLACE: 10})) == 1
    assert ledger.due_callbacks() == []


def test_of_a_queue_no_more_is_taken_than_was_asked_for(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger, number=5)
    places = dict.fromkeys(ledger.due_callbacks(), 3)

    assert (len(ledger.claim_callbacks(places)), len(ledger.claim_callbacks(places))) == (3, 2)


def test_many_merchants_of_many_shards_are_found(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    apps = [f"app{number}" for number in range(10)]
    for app in apps:
        messages = new_messages(20, app)
        ledger.accept(messages, app, told=EVERY_OUTCOME)
        for shard in (0, 1):
            ledger.settle([final(claim) for claim in ledger.claim(ids(messages), f"c-{app}-{shard}", shard)])

    assert {app for _, app in ledger.due_callbacks()} == set(apps)
    assert len(ledger.claim_callbacks()) == 200


def test_a_delivered_callback_is_gone(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    (callback,) = ledger.claim_callbacks()

    assert ledger.settle_callbacks([settled(callback, DELIVERED)]) == [True]
    assert ledger.settle_callbacks([settled(callback, DELIVERED)]) == [False]

    ledger.advance(10_000)
    assert ledger.due_callbacks() == []


def test_a_failed_callback_comes_back_after_its_delay_with_its_tries_and_since_when(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    ledger.advance(50)
    (callback,) = ledger.claim_callbacks()

    assert ledger.settle_callbacks([settled(callback, RETRY, 3_000)]) == [True]
    ledger.advance(2_999)
    assert ledger.claim_callbacks() == []
    ledger.advance(1)
    (again,) = ledger.claim_callbacks()

    assert (again.key, again.tries, again.since) == (KEY, 1, START)
    assert again.lease_until == START + 3_050 + 1_000


def test_a_callback_that_was_not_tried_comes_back_as_it_was(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    (callback,) = ledger.claim_callbacks()

    ledger.settle_callbacks([settled(callback, BACK, tries=0)])
    (again,) = ledger.claim_callbacks()

    assert (again.key, again.tries) == (KEY, 0)


def test_a_callback_that_was_given_up_is_not_due_any_more(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    (callback,) = ledger.claim_callbacks()

    assert ledger.settle_callbacks([settled(callback, DEAD)]) == [True]
    assert ledger.settle_callbacks([settled(callback, DEAD)]) == [False]

    ledger.advance(10_000)
    assert ledger.claim_callbacks() == []


@pytest.mark.parametrize("verdict", [RETRY, DEAD, BACK])
def test_whose_lease_ran_out_changes_nothing_of_the_claim_of_another(
    open_ledger: OpenLedger, verdict: CallbackVerdict
) -> None:
    ledger = with_final(open_ledger)
    (late,) = ledger.claim_callbacks(lease=1_000)
    ledger.advance(1_000)
    (newer,) = ledger.claim_callbacks(lease=1_000)

    assert ledger.settle_callbacks([settled(late, verdict)]) == [False]

    assert ledger.claim_callbacks() == []
    assert ledger.settle_callbacks([settled(newer, RETRY)]) == [True]


def test_what_a_merchant_took_is_over_also_where_the_lease_had_run_out(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger)
    (late,) = ledger.claim_callbacks(lease=1_000)
    ledger.advance(1_000)
    (newer,) = ledger.claim_callbacks(lease=1_000)

    assert ledger.settle_callbacks([settled(late, DELIVERED)]) == [True]
    assert ledger.settle_callbacks([settled(newer, RETRY)]) == [False]

    ledger.advance(10_000)
    assert ledger.claim_callbacks() == []


def test_settlements_of_many_are_answered_in_the_order_given(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger, number=4)
    callbacks = ledger.claim_callbacks()
    ledger.settle_callbacks([settled(callbacks[1], DELIVERED)])

    answers = ledger.settle_callbacks([settled(callback, DELIVERED) for callback in callbacks])

    assert answers == [True, False, True, True]


def test_what_was_opened_again_is_not_told(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([MESSAGE], told=EVERY_OUTCOME)
    ledger.settle([dead(claim) for claim in ledger.claim(ids([MESSAGE]))])
    ledger.replay(ledger.letters().letters)

    assert ledger.claim_callbacks() == []
    assert ledger.due_callbacks() == []

    ledger.settle([final(claim) for claim in ledger.claim(ids([MESSAGE]), "claim-2")])
    (callback,) = ledger.claim_callbacks()
    assert (final_message(callback).key.finality, final_message(callback).whole.status) == (2, ResultStatus.S)


def test_of_a_message_that_became_final_anew_the_newest_outcome_alone_is_told(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([MESSAGE], told=EVERY_OUTCOME)
    ledger.settle([dead(claim) for claim in ledger.claim(ids([MESSAGE]))])
    ledger.replay(ledger.letters().letters)
    ledger.settle([final(claim) for claim in ledger.claim(ids([MESSAGE]), "claim-2")])

    assert [final_message(callback).key.finality for callback in ledger.claim_callbacks()] == [2]


def test_what_is_forgotten_is_not_told(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger, retention=1_000)
    ledger.due_callbacks()
    ledger.advance(1_000)
    ledger.forget()

    assert ledger.claim_callbacks() == []
    assert ledger.due_callbacks() == []


def test_the_figures_tell_how_many_wait_are_late_and_are_over(open_ledger: OpenLedger) -> None:
    ledger = with_final(open_ledger, number=5)
    assert ledger.figures().callbacks == CallbackFigures(waiting=5)
    ledger.advance(3_000)
    assert ledger.figures().callbacks == CallbackFigures(waiting=5, late=3_000)

    first, second, third, *_ = ledger.claim_callbacks(lease=1_000)
    ledger.settle_callbacks([settled(first, DELIVERED), settled(second, DEAD), settled(third, RETRY, 60_000)])
    ledger.advance(2_500)

    ended = {("shop", "delivered"): 1, ("shop", "dead"): 1}
    assert ledger.figures().callbacks == CallbackFigures(3, 1_500, Crowd(1, 2_500), ended)


def test_a_merchant_has_one_process_that_calls_it(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    assert ledger.own_merchants(["shop", "cafe"], "p1") == [True, True]
    assert ledger.own_merchants(["shop", "bar"], "p2") == [False, True]
    ledger.advance(999)
    assert ledger.own_merchants(["shop"], "p1") == [True]
    ledger.advance(999)
    assert ledger.own_merchants(["shop", "cafe"], "p2") == [False, True]


def test_who_leaves_a_merchant_leaves_it_at_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.own_merchants(["shop"], "p1")

    ledger.own_merchants(["shop"], "p1", lease=0)

    assert ledger.own_merchants(["shop"], "p2") == [True]
