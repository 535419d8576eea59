"""Pauses: what was not sent waits, and expires; what a worker has in hand goes on (issue 4)."""

from dataclasses import replace

from tests.ledger_driver import (
    DAY,
    START,
    LedgerDriver,
    OpenLedger,
    dead,
    expiring,
    final,
    hinted,
    ids,
    new_message,
    new_messages,
    retry,
    waiting,
)
from worker.contract.messages import Acceptance, Hint, Lane
from worker.contract.origins import BatchPart, BatchStart, Origin, Pause

SHOP, CAFE = Origin("shop"), Origin("cafe")
B1, B2 = Origin("shop", "b1"), Origin("shop", "b2")
PART = BatchPart("b1")
PAUSED = BatchPart("b1", BatchStart.PAUSED)


def released(ledger: LedgerDriver) -> list[str]:
    return sorted(hinted(ledger.release()))


def test_what_is_due_and_was_never_claimed_goes_back_to_the_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    messages = new_messages(5)
    ledger.accept(messages)
    in_hand = ledger.claim(ids(messages[:2]))

    ledger.pause(SHOP)

    assert ledger.state().due.keys() == set(ids(messages[:2]))
    assert ledger.state().backlogs == {(0, Lane.BULK, "shop"): waiting(messages[2:])}
    assert ledger.claim(ids(messages), "claim-2") == []
    ledger.settle([final(claim) for claim in in_hand])
    assert ledger.state().window == frozenset()


def test_more_than_a_chunk_of_both_lanes_goes_back(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=900, window_single=900)
    ledger.accept(new_messages(250))
    ledger.accept(new_messages(10, prefix="s"), lane=Lane.SINGLE)
    ledger.accept(new_messages(10, prefix="b"), part=PART)

    ledger.pause(SHOP)

    assert not ledger.state().due
    assert sum(map(len, ledger.state().backlogs.values())) == 270


def test_what_comes_while_it_is_paused_waits_whatever_room_there_is(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    ledger.pause(SHOP)

    assert ledger.accept(new_messages(3)) == [Acceptance.BACKLOGGED] * 3
    assert ledger.release() == []
    assert ledger.backlogged() == []


def test_resumed_it_has_its_turns_again(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    ledger.pause(SHOP)
    ledger.accept(new_messages(3))

    for _ in range(2):
        ledger.resume(SHOP)

    assert released(ledger) == sorted(ids(new_messages(3)))
    assert (ledger.paused(), ledger.state().paused) == ([], {})
    assert ledger.accept([new_message("later")]) == [Acceptance.DUE]


def test_whether_it_was_paused_by_itself_is_told(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()

    assert [ledger.resume(B1), ledger.pause(SHOP), ledger.pause(SHOP)] == [False, False, True]
    assert [ledger.resume(B1), ledger.resume(SHOP), ledger.resume(SHOP)] == [False, True, False]


def test_a_pause_is_of_its_merchant_alone(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    ledger.pause(SHOP)

    assert ledger.accept(new_messages(1, app_id="cafe"), app_id="cafe") == [Acceptance.DUE]
    assert ledger.accept(new_messages(1, app_id="shop1"), app_id="shop1") == [Acceptance.DUE]


def test_paused_again_it_is_paused_since_the_first_time(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3)
    ledger.pause(B1)
    ledger.advance(7)
    ledger.pause(B1)
    ledger.pause(SHOP)

    assert ledger.paused() == [Pause(SHOP, START + 7), Pause(B1, START)]


def test_a_merchants_pause_is_that_of_its_batches(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    ledger.accept(new_messages(2), part=PART)

    ledger.pause(SHOP)

    assert ledger.accept([new_message("later")], part=PART) == [Acceptance.BACKLOGGED]
    assert ledger.claim(ids(new_messages(2))) == []
    ledger.resume(SHOP)
    assert released(ledger) == sorted(ids([*new_messages(2), new_message("later")]))


def test_a_paused_batch_keeps_no_other_message_of_its_merchant_back(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    ledger.accept(new_messages(2), part=PART)

    ledger.pause(B1)

    assert ledger.accept([new_message("r8")]) == [Acceptance.DUE]
    assert ledger.accept([new_message("r9")], part=BatchPart("b2")) == [Acceptance.DUE]
    assert ledger.state().backlogs.keys() == {(0, Lane.BULK, "shop#b1")}


def test_what_was_paused_by_itself_stays_paused(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=10)
    ledger.pause(SHOP)
    ledger.pause(B1)
    ledger.accept([new_message("r1")], part=PART)
    ledger.accept([new_message("r2")], part=BatchPart("b2"))

    ledger.resume(SHOP)
    assert released(ledger) == [new_message("r2").message_id]
    ledger.settle([final(claim) for claim in ledger.claim([new_message("r2").message_id])])
    ledger.pause(SHOP)
    ledger.resume(B1)
    assert released(ledger) == []
    ledger.resume(SHOP)
    assert released(ledger) == [new_message("r1").message_id]


def test_a_retry_waits_for_the_end_of_the_pause_unless_it_expires(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=3_000, longest_grace=60_000)
    short, long = expiring("short", 50_000), new_message("long")
    ledger.accept([short, long])
    ledger.settle([retry(claim, 1_000) for claim in ledger.claim(ids([short, long]))])
    ledger.pause(SHOP)

    ledger.advance(1_000)
    assert ledger.sweep() == []
    assert ledger.state().due == {short.message_id: START + 50_000, long.message_id: START + 61_000}
    ledger.advance(49_000)
    assert hinted(ledger.sweep()) == [short.message_id]
    ledger.resume(SHOP)
    ledger.advance(11_000)
    assert long.message_id in hinted(ledger.sweep())


def test_of_a_closed_batch_what_a_gateway_was_asked_for_goes_on_and_nothing_else(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    tried, unsent, waiting, crashed = new_messages(4)
    ledger.accept([tried, unsent, waiting, crashed], part=BatchPart("b1"))
    claims = ledger.claim([tried.message_id, unsent.message_id], "c1")
    ledger.claim([crashed.message_id], "c2")
    ledger.settle([retry(claims[0], 0), replace(retry(claims[1], 0), tries=0)])

    for _ in range(2):
        ledger.close(B1)
    ledger.advance(60_000)
    swept = hinted(ledger.sweep())

    assert sorted(swept) == sorted([tried.message_id, crashed.message_id])
    assert released(ledger) == []
    ledger.pause(Origin("shop"))
    ledger.advance(60_000)
    assert ledger.sweep() == []


def test_what_is_past_its_deadline_in_a_paused_backlog_is_due(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=0, grace=3_000)
    late, early = expiring("late", 20), expiring("early", 10)
    ledger.accept([late])
    ledger.pause(SHOP)
    ledger.accept([early, new_message("r1")])
    assert ledger.look_after() == []

    ledger.advance(10)
    assert ledger.look_after() == [Hint(Lane.BULK, 0, (early.message_id,))]
    assert ledger.look_after() == []
    assert ledger.state().stopped == {(0, Lane.BULK, "shop"): START + 20}
    ledger.advance(10)
    assert hinted(ledger.look_after()) == [late.message_id]

    (claim,) = ledger.claim([early.message_id])
    assert claim.claimed_at >= claim.expires_at
    assert ledger.state().stopped == {(0, Lane.BULK, "shop"): START + DAY}


def test_an_expired_backlog_leaves_nothing_behind_but_the_pause(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=0)
    ledger.pause(SHOP)
    ledger.accept([expiring(f"r{n}", 10) for n in range(201)])
    ledger.advance(10)

    turns = [len(hinted(ledger.look_after())) for _ in range(3)]

    assert turns == [200, 1, 0]
    assert (ledger.state().stopped, ledger.state().backlogs) == ({}, {})
    assert ledger.paused() == [Pause(SHOP, START)]


def test_a_release_that_is_under_way_meets_a_pause(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1)
    ledger.accept(new_messages(2), part=PART)
    ledger.pause(B1)
    ledger.settle([final(claim) for claim in ledger.claim(ids(new_messages(2)))])

    assert ledger.release() == []


def test_the_window_of_a_merchant_is_one_whatever_batches_it_has(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=4)
    for batch in ("b1", "b2", "b3"):
        ledger.accept(new_messages(5, prefix=batch), part=BatchPart(batch, BatchStart.PAUSED))
        ledger.resume(Origin("shop", batch))

    assert len(hinted(ledger.release())) == 4
    assert len(ledger.state().window) == 4
    assert ledger.release() == []


def test_a_replayed_letter_of_a_paused_batch_waits_in_its_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1")], part=PART)
    ledger.settle([dead(claim) for claim in ledger.claim([new_message("r1").message_id])])
    ledger.pause(B1)

    for _ in range(2):
        ledger.replay(ledger.letters().letters)

    assert ledger.state().backlogs == {(0, Lane.BULK, "shop#b1"): (new_message("r1").message_id,)}
    assert ledger.tally(B1).open == 1
