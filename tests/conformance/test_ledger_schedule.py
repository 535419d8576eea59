"""The schedule: what is to be sent later waits for its time, and passes no window by when that comes (issue 5)."""

from dataclasses import replace

from tests.ledger_driver import (
    DAY,
    START,
    OpenLedger,
    defer,
    final,
    hinted,
    ids,
    learnt,
    new_message,
    new_messages,
)
from worker.contract.cancellations import Cancelled, Standing
from worker.contract.messages import Acceptance, Channel, DeliveryState, Lane, NewMessage, WaitReason
from worker.contract.origins import BatchPart, BatchStart, BatchTally, Origin
from worker.contract.outcomes import Tally

SHOP, B1 = Origin("shop"), Origin("shop", "b1")
PART = BatchPart("b1", BatchStart.STAGED)


def later(message: NewMessage, at: int = 1_000, expire_at: int | None = None) -> NewMessage:
    """Return a message that is to be sent so many milliseconds after the start."""
    return replace(message, send_at=START + at, expire_at=None if expire_at is None else START + expire_at)


def test_what_is_to_be_sent_later_is_due_to_nobody_until_then(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = later(new_message("r1"))

    assert ledger.accept([message]) == [Acceptance.SCHEDULED]
    assert ledger.accept([message]) == [Acceptance.REPEATED]

    state = ledger.state()
    assert (state.due, state.backlogs, state.window) == ({}, {}, frozenset())
    assert state.scheduled == {message.message_id: START + 1_000}
    assert ledger.claim([message.message_id]) == []
    outcome = ledger.find(message.message_id)
    assert (outcome.next_at, outcome.waits_for) == (START + 1_000, WaitReason.SCHEDULE)
    assert outcome.expires_at == START + 1_000 + DAY


def test_its_time_come_it_goes_through_its_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = later(new_message("r1"))
    ledger.accept([message])
    ledger.advance(999)
    ledger.look_after()
    assert ledger.backlogged() == []

    ledger.advance(1)
    for _ in range(2):
        assert ledger.look_after() == []

    assert ledger.state().backlogs == {(0, Lane.BULK, "shop"): (message.message_id,)}
    assert hinted(ledger.release()) == [message.message_id]
    (claim,) = ledger.claim([message.message_id])
    assert ledger.find(message.message_id).waits_for is None
    ledger.settle([final(claim)])
    assert ledger.state().scheduled == {}


def test_many_of_one_time_pass_no_window_by(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=3)
    ledger.accept([later(message) for message in new_messages(450)])
    ledger.advance(1_000)

    ledger.look_after()

    assert len(hinted(ledger.release())) == 3
    assert len(ledger.state().window) == 3
    assert ledger.state().scheduled == {}


def test_a_time_that_is_past_is_at_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    answers = ledger.accept([later(new_message("now"), 0), later(new_message("past"), -5), new_message("plain")])

    assert answers == [Acceptance.DUE] * 3
    assert ledger.find(new_message("past").message_id).expires_at == START + DAY


def test_what_expires_is_ended_at_its_own_time(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1)
    soon = replace(new_message("soon"), expire_at=START + 10)
    planned = later(new_message("planned"), 5, expire_at=20)
    ledger.accept([new_message("blocker"), soon, planned])
    ledger.claim([new_message("blocker").message_id])

    ledger.advance(10)
    ledger.look_after()
    assert hinted(ledger.release()) == [soon.message_id]
    ledger.advance(10)
    ledger.look_after()
    assert hinted(ledger.release()) == [planned.message_id]
    (claim,) = ledger.claim([planned.message_id])
    assert claim.claimed_at == claim.expires_at == START + 20


def test_what_is_paused_waits_on_when_its_time_comes(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([later(new_message("r1"), expire_at=1_500)])
    ledger.pause(SHOP)
    ledger.advance(1_000)

    assert ledger.look_after() == []
    assert ledger.release() == []
    assert ledger.state().stopped == {(0, Lane.BULK, "shop"): START + 1_500}
    ledger.advance(500)
    assert hinted(ledger.look_after()) == [new_message("r1").message_id]


def test_a_staged_batch_is_withdrawn_with_what_is_scheduled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    messages = [later(message) if index % 2 else message for index, message in enumerate(new_messages(300))]
    ledger.accept(messages, part=PART)
    ledger.accept([later(new_message("other"))])
    assert ledger.tally(B1) == BatchTally(taken=300, open=300)

    assert ledger.withdraw(B1)

    assert ledger.state().records.keys() == {new_message("other").message_id}
    assert (ledger.state().paused, ledger.state().staged, ledger.state().batch_tallies) == ({}, {}, {})
    assert ledger.state().tallies == {("shop", Channel.PUSH): Tally(accepted=1, open=1)}


def test_a_staged_batch_that_runs_keeps_its_times(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([later(new_message("r1"))], part=PART)

    ledger.run_batch(B1)

    assert ledger.release() == []
    ledger.advance(1_000)
    ledger.look_after()
    assert hinted(ledger.release()) == [new_message("r1").message_id]


def test_what_is_scheduled_is_cancelled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    ledger.accept([later(message) for message in new_messages(30)])
    ledger.accept([later(message) for message in new_messages(30, prefix="b")], part=BatchPart("b1"))
    assert ledger.standing(SHOP) == Standing(backlogged=0, due=0, scheduled=60)
    assert ledger.standing(B1) == Standing(backlogged=0, due=0, scheduled=30)

    assert ledger.cancel([new_message("r1").message_id]) == [Cancelled.CANCELLED]
    assert ledger.cancel_all(B1)[Cancelled.CANCELLED] == 30
    assert ledger.cancel_all(SHOP)[Cancelled.CANCELLED] == 29

    assert ledger.state().scheduled == {}
    assert ledger.find(new_message("r1").message_id).next_at is None


def test_what_nobody_may_send_now_is_deferred_and_takes_no_place_meanwhile(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1, waiting=1)
    message = new_message("r1", channels=(Channel.PUSH, Channel.INBOX))
    ledger.accept([message])
    (claim,) = ledger.claim([message.message_id])
    inbox = learnt(DeliveryState.S, channel=Channel.INBOX)

    for _ in range(2):
        ledger.settle([defer(claim, 5_000, inbox)])

    state = ledger.state()
    assert state.scheduled == {message.message_id: START + 5_000}
    assert (state.due, state.window, state.waiting) == ({}, frozenset(), frozenset())
    outcome = ledger.find(message.message_id)
    assert (outcome.next_at, outcome.waits_for) == (START + 5_000, WaitReason.QUIET_HOURS)
    assert ledger.accept([new_message("r2")]) == [Acceptance.DUE]
    assert ledger.cancel([message.message_id]) == [Cancelled.TRIED]


def test_what_is_deferred_is_woken_at_its_deadline_at_the_latest(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    message = replace(new_message("r1"), deliver_within=2_000)
    ledger.accept([message])
    ledger.settle([defer(claim, 5_000) for claim in ledger.claim([message.message_id])])

    assert ledger.state().scheduled == {message.message_id: START + 2_000}
    ledger.advance(2_000)
    ledger.look_after()
    assert hinted(ledger.release()) == [message.message_id]


def test_what_was_deferred_untried_is_cancelled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")], part=BatchPart("b1"))
    ledger.settle([defer(claim) for claim in ledger.claim(ids([new_message("r1")]))])

    assert ledger.cancel_all(SHOP) == {Cancelled.CANCELLED: 1}
    assert (ledger.state().scheduled, ledger.tally(B1)) == ({}, BatchTally(taken=1, F=1))


def test_figures_tell_how_much_is_scheduled(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3)
    ledger.accept([later(message) for message in new_messages(7)])

    assert ledger.figures().scheduled == 7
