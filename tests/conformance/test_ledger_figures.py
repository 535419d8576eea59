"""The ledger in numbers: counters, sizes of indexes and ages."""

from tests.ledger_driver import LedgerDriver, OpenLedger, dead, ids, learnt, new_messages, retry
from worker.contract.figures import CallbackFigures, Crowd, LedgerFigures, Missing, PausedKind
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.origins import BatchPart, BatchStart, Origin
from worker.contract.outcomes import Tally

NOTHING = LedgerFigures(
    tallies={},
    due=0,
    overdue=Crowd(),
    waiting=0,
    backlogged={Lane.SINGLE: 0, Lane.BULK: 0},
    scheduled=0,
    stopped={Lane.SINGLE: 0, Lane.BULK: 0},
    paused={PausedKind.MERCHANT: Crowd(), PausedKind.BATCH: Crowd()},
    unknown={Missing.OPEN: Crowd(), Missing.DEAD: Crowd()},
    dead=Crowd(),
    callbacks=CallbackFigures(),
    refused={},
    failing={},
)


def busy(open_ledger: OpenLedger) -> LedgerDriver:
    """Give a ledger with messages in each state; 5 s have passed since the first of each was left there."""
    ledger = open_ledger(shards=4, window_bulk=10, window_single=0, grace=3_000)
    ledger.accept(new_messages(12))
    ledger.accept(new_messages(3, "cafe"), app_id="cafe", lane=Lane.SINGLE)
    claims = [claim for shard in range(4) for claim in ledger.claim(ids(new_messages(12)), "claim-1", shard)]
    unknown = learnt(DeliveryState.U, "UNANSWERED", "time-out")
    ledger.settle([retry(claims[0], 10_000), dead(claims[1]), dead(claims[2], unknown)])
    ledger.advance(2_000)
    ledger.settle([retry(claims[3], 10_000), dead(claims[4])])
    ledger.advance(3_000)
    return ledger


def test_an_empty_ledger_has_none_of_anything(open_ledger: OpenLedger) -> None:
    assert open_ledger(shards=4).figures() == NOTHING


def test_every_message_is_counted_where_it_is_over_all_shards(open_ledger: OpenLedger) -> None:
    figures = busy(open_ledger).figures()

    assert figures.tallies == {
        ("shop", Channel.PUSH): Tally(accepted=12, open=9, F=2, U=1),
        ("cafe", Channel.PUSH): Tally(accepted=3, open=3),
    }
    assert (figures.due, figures.waiting) == (9, 2)
    assert figures.backlogged == {Lane.SINGLE: 3, Lane.BULK: 0}


def test_the_oldest_of_each_kind_is_found_over_all_shards(open_ledger: OpenLedger) -> None:
    figures = busy(open_ledger).figures()

    assert figures.unknown == {Missing.OPEN: Crowd(2, 5_000), Missing.DEAD: Crowd(1, 5_000)}
    assert figures.dead == Crowd(3, 5_000)


def test_overdue_is_what_no_sweeper_has_looked_at_in_time(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=3_000)
    ledger.accept(new_messages(2))
    ledger.advance(2_999)
    assert ledger.figures().overdue == Crowd()

    ledger.advance(501)
    assert ledger.figures().overdue == Crowd(2, 500)
    ledger.sweep()
    assert ledger.figures().overdue == Crowd()


def test_nobody_forgets_a_pause(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4, window_bulk=0)
    ledger.accept(new_messages(8))
    ledger.accept(new_messages(3, "cafe"), app_id="cafe")
    ledger.accept(new_messages(2, "b"), part=BatchPart("b1", BatchStart.PAUSED))
    ledger.pause(Origin("cafe"))
    ledger.advance(1_000)
    ledger.pause(Origin("idle"))
    ledger.advance(1_000)

    figures = ledger.figures()

    assert figures.paused == {PausedKind.MERCHANT: Crowd(2, 2_000), PausedKind.BATCH: Crowd(1, 2_000)}
    assert (figures.backlogged[Lane.BULK], figures.stopped[Lane.BULK]) == (13, 5)


def test_reading_figures_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = busy(open_ledger)
    before = ledger.state()

    assert ledger.figures() == ledger.figures()
    assert ledger.state() == before
