"""The outbox of callbacks: what becomes final is there for whoever wants to be told, from the same instant."""

import pytest

from tests.ledger_driver import START, LedgerDriver, OpenLedger, dead, final, ids, learnt, new_message, retry
from worker.contract.callbacks import EVERY_OUTCOME, OutcomeKey, Outcomes
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, DeliveryState, Settled, Settlement

MESSAGE = new_message("r1", channels=tuple(Channel))
(ID,) = ids([MESSAGE])
S, F, U = DeliveryState.S, DeliveryState.F, DeliveryState.U
INBOX = Channel.INBOX
FIRST, SECOND = OutcomeKey("shop", ID, 1), OutcomeKey("shop", ID, 2)
ONLY_F = frozenset({ResultStatus.F})


def taken(open_ledger: OpenLedger, told: Outcomes = EVERY_OUTCOME, **limits: int) -> LedgerDriver:
    ledger = open_ledger(**limits)
    ledger.accept([MESSAGE], told=told)
    return ledger


def settle(ledger: LedgerDriver, push: DeliveryState, inbox: DeliveryState, claim_id: str = "claim-1") -> Settlement:
    """Make the message final in 10 ms and return how."""
    (claim,) = ledger.claim([ID], claim_id)
    ledger.advance(10)
    updates = learnt(push, "" if push is S else "X"), learnt(inbox, "" if inbox is S else "X", channel=INBOX)
    settlement = final(claim, *updates) if (push, inbox) == (S, S) else dead(claim, *updates)
    assert ledger.settle([settlement]) == [Settled.DONE]
    return settlement


@pytest.mark.parametrize(("push", "inbox"), [(S, S), (S, F), (F, F), (U, S), (F, U)])
def test_what_became_final_is_in_the_outbox_since_then(
    open_ledger: OpenLedger, push: DeliveryState, inbox: DeliveryState
) -> None:
    ledger = taken(open_ledger)

    settle(ledger, push, inbox)

    assert ledger.state().outbox == {FIRST: START + 10}


@pytest.mark.parametrize(("push", "inbox", "told"), [(S, S, False), (S, F, True), (F, F, True), (F, U, False)])
def test_a_merchant_is_told_of_the_outcomes_that_it_wants(
    open_ledger: OpenLedger, push: DeliveryState, inbox: DeliveryState, *, told: bool
) -> None:
    ledger = taken(open_ledger, ONLY_F)

    settle(ledger, push, inbox)

    assert bool(ledger.state().outbox) == told


def test_a_merchant_without_a_callback_has_nothing_in_the_outbox(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([MESSAGE])

    settle(ledger, S, S)

    assert ledger.state().outbox == {}


def test_what_is_tried_again_is_not_told(open_ledger: OpenLedger) -> None:
    ledger = taken(open_ledger)
    ledger.settle([retry(claim) for claim in ledger.claim([ID])])

    assert ledger.state().outbox == {}


def test_settling_a_second_time_tells_nothing_new(open_ledger: OpenLedger) -> None:
    ledger = taken(open_ledger)
    settlement = settle(ledger, S, S)
    ledger.advance(10)

    assert ledger.settle([settlement]) == [Settled.ALREADY]

    assert ledger.state().outbox == {FIRST: START + 10}


def test_each_message_of_a_chunk_is_told_by_itself(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    told, silent = new_message("told"), new_message("silent")
    ledger.accept([told], told=EVERY_OUTCOME)
    ledger.accept([silent], "cafe")

    ledger.settle([final(claim) for claim in ledger.claim(ids([told, silent]))])

    assert ledger.state().outbox.keys() == {OutcomeKey("shop", told.message_id, 1)}


def test_a_repeat_of_the_send_changes_nothing_of_what_is_told(open_ledger: OpenLedger) -> None:
    ledger = taken(open_ledger)
    ledger.accept([MESSAGE])

    settle(ledger, S, S)

    assert FIRST in ledger.state().outbox


def test_what_a_replay_opened_is_told_again_under_the_next_number(open_ledger: OpenLedger) -> None:
    ledger = taken(open_ledger)
    settle(ledger, F, S)
    ledger.replay(ledger.letters().letters)
    assert ledger.state().outbox.keys() == {FIRST}

    settle(ledger, S, S, "claim-2")

    assert ledger.state().outbox.keys() == {FIRST, SECOND}


def test_a_discard_tells_nothing_as_the_outcome_stays(open_ledger: OpenLedger) -> None:
    ledger = taken(open_ledger)
    settle(ledger, F, S)

    ledger.discard(ledger.letters().letters)

    assert ledger.state().outbox.keys() == {FIRST}


def test_what_is_told_is_forgotten_like_any_other_message(open_ledger: OpenLedger) -> None:
    ledger = taken(open_ledger, retention=1_000)
    settle(ledger, S, S)
    ledger.advance(1_000)

    assert ledger.forget() == 1
    assert ledger.state().records == {}
