"""Batches: their start, their counts, their rows, and what is staged runs as a whole or was never taken (issue 5)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.ledger_driver import (
    DAY,
    LedgerDriver,
    OpenLedger,
    dead,
    final,
    hinted,
    ids,
    learnt,
    new_message,
    new_messages,
    retry,
)
from worker.contract.identity import shard_of
from worker.contract.messages import Acceptance, Channel, DeliveryState, Lane, NewMessage, Settlement
from worker.contract.origins import BatchPart, BatchRow, BatchStart, BatchTally, Origin
from worker.contract.outcomes import Tally
from worker.ports import Probe

B1, B2 = Origin("shop", "b1"), Origin("shop", "b2")
AT_ONCE = BatchPart("b1")
PAUSED = BatchPart("b1", BatchStart.PAUSED)
STAGED = BatchPart("b1", BatchStart.STAGED)
BOTH = (Channel.PUSH, Channel.INBOX)
F = learnt(DeliveryState.F, "REFUSED", "no")


def rows(messages: Sequence[NewMessage], first: int = 0) -> list[NewMessage]:
    return [replace(message, row=first + index) for index, message in enumerate(messages)]


def test_a_batch_is_sent_at_once_unless_something_else_is_said(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=2)

    assert ledger.accept(new_messages(2), part=AT_ONCE) == [Acceptance.DUE] * 2
    assert ledger.accept([new_message("r2")], part=AT_ONCE) == [Acceptance.BACKLOGGED]
    assert ledger.accept([new_message("r3")]) == [Acceptance.BACKLOGGED]
    assert ledger.state().backlogs.keys() == {(0, Lane.BULK, "shop#b1"), (0, Lane.BULK, "shop")}


@pytest.mark.parametrize("part", [PAUSED, STAGED])
def test_a_batch_waits_from_its_first_message_on(open_ledger: OpenLedger, part: BatchPart) -> None:
    ledger = open_ledger(shards=2)

    for some in (new_messages(4), new_messages(4), new_messages(8)):
        ledger.accept(some, part=part)

    assert [hinted(ledger.release(shard)) for shard in range(2)] == [[], []]
    assert not ledger.state().due
    assert ledger.tally(B1) == BatchTally(taken=8, open=8)


def test_a_paused_batch_goes_on_once_it_is_resumed_and_so_does_what_comes_late(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    ledger.accept([new_message("r0")], part=PAUSED)

    ledger.resume(B1)

    ledger.accept(new_messages(20, prefix="late"), part=PAUSED)
    assert ledger.state().paused == {}
    assert len([*ledger.state().due, *hinted(ledger.release(0)), *hinted(ledger.release(1))]) == 21


def test_it_is_known_for_the_retention_that_a_batch_was_resumed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=10)
    ledger.resume(B1)
    ledger.advance(10)
    ledger.resume(B2)
    assert len(ledger.state().started) == 2
    ledger.advance(1)
    ledger.resume(B2)

    assert {origin for _, origin in ledger.state().started} == {"shop#b2"}


def test_repeats_alone_pause_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept(new_messages(2))

    for part in (PAUSED, STAGED):
        assert set(ledger.accept(new_messages(2), part=part)) == {Acceptance.REPEATED}

    assert (ledger.state().paused, ledger.state().staged) == ({}, {})


def test_a_batch_is_counted_in_messages_by_their_whole_outcome(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    messages = [new_message(f"r{index}", channels=BOTH) for index in range(7)]
    ledger.accept([*messages, messages[0]], part=AT_ONCE)
    names = ["delivered", "partial", "failed", "died", "unknown", "again", "in hand"]
    claims = dict(zip(names, ledger.claim(ids(messages)), strict=True))
    s = [learnt(DeliveryState.S, channel=channel) for channel in BOTH]
    ends = [
        final(claims["delivered"], *s),
        final(claims["partial"], s[0], learnt(DeliveryState.F, "NO", "no", Channel.INBOX)),
        final(claims["failed"], F, learnt(DeliveryState.F, "NO", "no", Channel.INBOX)),
        dead(claims["died"], F, learnt(DeliveryState.F, "NO", "no", Channel.INBOX)),
        dead(claims["unknown"], F, learnt(DeliveryState.U, "UNANSWERED", "?", Channel.INBOX)),
        retry(claims["again"], 1_000, s[0]),
    ]

    for _ in range(2):
        ledger.settle(ends)

    assert ledger.tally(B1) == BatchTally(taken=7, open=2, S=1, F=3, U=1)
    for _ in range(2):
        ledger.replay(ledger.letters().letters)
    assert ledger.tally(B1) == BatchTally(taken=7, open=4, S=1, F=2)
    assert ledger.tally(B2) == BatchTally()


def test_a_batch_is_forgotten_with_the_last_of_its_messages(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1_000, window_bulk=10)
    messages = rows(new_messages(3))
    ledger.accept(messages, part=AT_ONCE)
    ledger.settle(end_all(ledger, messages[:2]))
    ledger.advance(1_000)

    assert (ledger.forget(), ledger.forget()) == (2, 0)
    assert ledger.tally(B1) == BatchTally(taken=3, open=1, forgotten=2)
    assert ledger.rows(B1, 0, 10) == [BatchRow(2, messages[2].message_id)]
    ledger.settle(end_all(ledger, messages[2:]))
    ledger.advance(1_000)
    ledger.forget()
    assert (ledger.state().batch_tallies, ledger.state().rows) == ({}, frozenset())


def end_all(ledger: LedgerDriver, messages: Sequence[NewMessage]) -> list[Settlement]:
    return [final(claim) for claim in ledger.claim(ids(messages))]


def test_rows_are_read_in_order_over_all_shards(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4)
    messages = rows(new_messages(30), first=95)
    ledger.accept(messages[::-1], part=AT_ONCE)
    ledger.accept(rows(new_messages(5, prefix="other"), first=95), part=BatchPart("b10"))
    ledger.accept([new_message("unlisted")], part=AT_ONCE)
    expected = [BatchRow(message.row or 0, message.message_id) for message in messages]

    assert ledger.rows(B1, 0, 1_000) == expected
    assert ledger.rows(B1, 97, 10) == expected[2:12]
    assert ledger.rows(B1, 125, 10) == []


def test_a_row_that_was_sent_before_stays_where_it_was(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([replace(new_message("r1"), row=5)], part=AT_ONCE)

    ledger.accept([replace(new_message("r1"), row=9)], part=BatchPart("b2"))

    assert (ledger.rows(B1, 0, 10), ledger.rows(B2, 0, 10)) == ([BatchRow(5, new_message("r1").message_id)], [])


def test_a_staged_batch_runs_once_that_is_decided(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    ledger.accept(new_messages(10), part=STAGED)

    assert [ledger.run_batch(B1), ledger.run_batch(B1), ledger.withdraw(B1)] == [True, True, False]

    assert len([*hinted(ledger.release(0)), *hinted(ledger.release(1))]) == 10
    assert (ledger.state().paused, ledger.state().staged) == ({}, {})


def test_a_withdrawn_batch_was_never_taken(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    empty = ledger.state()
    messages = rows([new_message(f"r{index}", channels=BOTH) for index in range(450)])
    ledger.accept(messages, part=STAGED)
    ledger.accept([new_message("single")], part=STAGED, lane=Lane.SINGLE)

    assert [ledger.withdraw(B1), ledger.withdraw(B1), ledger.run_batch(B1)] == [True, True, False]

    state = ledger.state()
    assert (state.records, state.payloads, state.backlogs, state.stopped) == ({}, {}, {}, {})
    assert (state.tallies, state.batch_tallies, state.rows) == (empty.tallies, {}, frozenset())
    assert (state.paused, state.staged) == ({}, {})
    assert set(ledger.accept(messages)) == {Acceptance.DUE}


def test_what_was_taken_before_is_not_withdrawn(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r0")])
    ledger.accept(new_messages(2), part=STAGED)

    ledger.withdraw(B1)

    assert ledger.state().records.keys() == {new_message("r0").message_id}
    assert ledger.state().tallies == {("shop", Channel.PUSH): Tally(accepted=1, open=1)}


def test_a_withdrawn_batch_of_which_the_rest_was_forgotten_begins_anew(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=10)
    messages = new_messages(2)
    ledger.accept(messages, part=PAUSED)
    ledger.cancel(ids(messages[:1]), "shop")
    ledger.advance(10)
    ledger.forget()
    assert ledger.tally(B1) == BatchTally(taken=2, open=1, forgotten=1)

    ledger.withdraw(B1)

    assert ledger.state().batch_tallies == {}
    assert ledger.accept(messages, part=PAUSED) == [Acceptance.BACKLOGGED] * 2


def test_nobody_can_say_of_what_is_staged_whether_it_is_taken(open_ledger: OpenLedger) -> None:
    """R31: the caller repeats it, once it is decided."""
    ledger = open_ledger()
    message = new_message("r1")
    ledger.accept([message], part=STAGED)
    probe = Probe(message.message_id, message.fingerprint, message.user)

    assert ledger.accept([message]) == [Acceptance.STAGED]
    assert ledger.accept([message], part=BatchPart("b2")) == [Acceptance.STAGED]
    assert ledger.accept([replace(message, fingerprint="other")]) == [Acceptance.STAGED]
    assert ledger.probe([probe]) == [Acceptance.STAGED]
    assert ledger.accept([message], part=STAGED) == [Acceptance.REPEATED]
    ledger.run_batch(B1)
    assert [*ledger.accept([message]), *ledger.probe([probe])] == [Acceptance.REPEATED] * 2


def test_what_is_staged_too_long_is_withdrawn(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2, staging=60_000)
    ledger.accept(new_messages(10), part=STAGED)
    ledger.advance(59_999)
    ledger.accept([new_message("r10")], part=STAGED)
    ledger.look_after()
    assert ledger.tally(B1).taken == 11

    ledger.advance(60_000)
    for _ in range(2):
        assert ledger.look_after() == []

    assert ledger.state().records == {}
    assert not ledger.run_batch(B1)


def test_a_shard_that_nobody_told_of_the_decision_learns_of_it(open_ledger: OpenLedger) -> None:
    """As after a crash between the decision and the last shard."""
    ledger = open_ledger(shards=2, staging=60_000)
    first, *others = new_messages(10)
    (elsewhere, *_) = [one for one in others if shard_of(one.message_id, 2) != shard_of(first.message_id, 2)]
    ledger.accept([first], part=STAGED)
    ledger.run_batch(B1)
    ledger.accept([elsewhere], part=STAGED)
    assert ledger.release(shard_of(elsewhere.message_id, 2)) == []

    ledger.advance(60_000)
    ledger.look_after()

    assert hinted(ledger.release(shard_of(elsewhere.message_id, 2))) == [elsewhere.message_id]


def test_what_expires_while_it_is_staged_is_left_for_the_decision(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(staging=60_000)
    ledger.accept([replace(new_message("r1"), deliver_within=10)], part=STAGED)
    ledger.advance(10)
    assert ledger.look_after() == []

    ledger.run_batch(B1)

    assert hinted(ledger.release()) == [new_message("r1").message_id]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_batch_that_was_forgotten_begins_anew(open_ledger: OpenLedger, resumed: bool) -> None:  # noqa: FBT001
    ledger = open_ledger(shards=2)
    ledger.pause(B1)
    if resumed:
        ledger.resume(B1)

    for _ in range(2):
        ledger.forget_batch(B1)

    assert ledger.paused() == []
    assert ledger.accept(new_messages(4), part=PAUSED) == [Acceptance.BACKLOGGED] * 4


def test_a_batch_that_has_messages_stays_paused(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept(new_messages(4), part=PAUSED)

    ledger.forget_batch(B1)

    assert [pause.origin for pause in ledger.paused()] == [B1]


def test_looking_after_an_empty_ledger_does_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3)
    ledger.advance(DAY)

    assert (ledger.look_after(), ledger.paused()) == ([], [])
