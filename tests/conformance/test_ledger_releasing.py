"""Release: what waits in backlogs gets its turn, fairly between merchants (DESIGN 6)."""

from tests.ledger_driver import (
    START,
    LedgerDriver,
    OpenLedger,
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


def open_with_room(open_ledger: OpenLedger, backlogs: dict[str, int], window: int) -> LedgerDriver:
    """Give merchants a backlog behind a window that has become free again."""
    ledger = open_ledger(window_bulk=window)
    for app_id, number in backlogs.items():
        blockers = new_messages(window, app_id=app_id, prefix="blocker")
        ledger.accept(blockers, app_id=app_id)
        ledger.accept(new_messages(number, app_id=app_id), app_id=app_id)
        ledger.settle([final(claim) for claim in ledger.claim(ids(blockers))])
    return ledger


def merchants_of(ledger: LedgerDriver, hints: list[Hint]) -> dict[str, int]:
    apps = [ledger.find(message_id).app_id for message_id in hinted(hints)]
    return {app: apps.count(app) for app in dict.fromkeys(apps)}


def test_two_releases_at_the_same_time_fill_the_window_once(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, {"shop": 9}, window=4)

    ledger.twice_at_once(lambda both: both.release([(0, Lane.BULK)]))

    assert len(ledger.state().window) == 4


def test_release_fills_the_window_with_the_earliest_deadlines_of_the_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=3, grace=3_000)
    messages = new_messages(8)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:2]))])
    ledger.advance(50)
    first, second, *rest = waiting(messages[3:])

    assert ledger.release() == [Hint(Lane.BULK, 0, (first, second))]

    state = ledger.state()
    assert state.due == {messages[2].message_id: START + 3_000, first: START + 3_050, second: START + 3_050}
    assert state.backlogs == {(0, Lane.BULK, "shop"): tuple(rest)}
    assert len(state.window) == 3


def test_what_is_past_its_deadline_is_released_though_the_window_is_full(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1, grace=3_000)
    blocker, late, early, latest = (expiring(f"r{n}", n) for n in (1_000, 20, 10, 500))
    ledger.accept([blocker, late, latest, early])
    ledger.claim([blocker.message_id])
    ledger.advance(19)

    assert ledger.release() == [Hint(Lane.BULK, 0, (early.message_id,))]
    assert ledger.release() == []
    ledger.advance(1)
    assert ledger.release() == [Hint(Lane.BULK, 0, (late.message_id,))]

    state = ledger.state()
    assert state.backlogs == {(0, Lane.BULK, "shop"): (latest.message_id,)}
    assert state.due[early.message_id] == START + 3_019
    (claim,) = ledger.claim([early.message_id], "claim-2")
    assert claim.claimed_at >= claim.expires_at


def test_merchants_whose_backlogs_expired_take_turns_too(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=0)
    for app in ("large", "small"):
        ledger.accept([expiring(f"r{n}", 10, app) for n in range(60)], app_id=app)
    ledger.advance(10)

    turns = [merchants_of(ledger, ledger.release()) for _ in range(3)]

    assert turns == [{"large": 60, "small": 60}, {}, {}]


def test_release_again_takes_no_more_than_the_window_has_room_for(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=3)
    messages = new_messages(8)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:2]))])
    ledger.release()
    before = ledger.state()

    assert ledger.release() == []
    assert ledger.state() == before


def test_an_empty_backlog_leaves_nothing_behind(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1)
    messages = new_messages(2)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:1]))])

    assert hinted(ledger.release()) == ids(messages[1:])
    assert (ledger.state().backlogs, ledger.state().released, ledger.backlogged()) == ({}, {}, [])
    assert ledger.release() == []


def test_backlogged_names_each_shard_and_lane_that_waits(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3, window_bulk=0, window_single=0)
    bulk, single = new_message("b"), new_message("s")
    ledger.accept([bulk], lane=Lane.BULK)
    ledger.accept([single], lane=Lane.SINGLE)
    shards = {message.request_id: int(message.message_id[:8], 16) % 3 for message in (bulk, single)}

    expected = [(shards["s"], Lane.SINGLE), (shards["b"], Lane.BULK)]

    assert ledger.backlogged() == expected
    assert ledger.backlogged() == expected


def test_release_leaves_the_other_lane_alone(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1)
    messages = new_messages(2)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:1]))])

    assert ledger.release(lane=Lane.SINGLE) == []
    assert ledger.backlogged() == [(0, Lane.BULK)]


def test_merchants_take_turns_of_equal_numbers_of_messages(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, {"large": 480, "small": 170}, window=400)

    turns = [merchants_of(ledger, ledger.release()) for _ in range(4)]

    assert turns == [{"large": 100, "small": 100}, {"large": 100, "small": 70}, {"large": 200}, {}]


def test_one_release_is_bounded_and_the_next_begins_with_who_was_served_least(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, dict.fromkeys("abcde", 60), window=60)

    turns = [merchants_of(ledger, ledger.release()) for _ in range(2)]

    assert turns == [dict.fromkeys("abcd", 50), {"e": 50} | dict.fromkeys("abcd", 10)]


def test_a_newcomer_gets_no_credit_for_the_time_before_it_came(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, {"early": 120}, window=60)
    ledger.release()
    ledger.accept(new_messages(61, app_id="late"), app_id="late")

    served = ledger.state().released

    assert served == {(0, Lane.BULK, "early"): 60, (0, Lane.BULK, "late"): 60}


def test_a_window_is_filled_again_once_a_quarter_of_it_is_free(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=8)
    messages = new_messages(20)
    ledger.accept(messages)
    first, second, *_ = ledger.claim(ids(messages[:8]))
    ledger.settle([final(first)])

    assert ledger.release() == []
    ledger.settle([final(second)])
    assert len(hinted(ledger.release())) == 2


def test_the_end_of_a_backlog_waits_for_no_quarter_of_the_window(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=8)
    messages = new_messages(9)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:1]))])

    assert hinted(ledger.release()) == ids(messages[8:])


def open_with_waiting(open_ledger: OpenLedger, most: int, number: int) -> LedgerDriver:
    """Give a ledger in which so many messages wait for a retry, so that their window is free again."""
    ledger = open_ledger(window_bulk=3, waiting=most)
    for message in new_messages(number, prefix="waiting"):
        ledger.accept([message])
        ledger.settle([retry(claim, 1_000) for claim in ledger.claim([message.message_id])])
    return ledger


def test_a_message_that_waits_for_its_retry_leaves_the_window_until_it_is_swept(open_ledger: OpenLedger) -> None:
    ledger = open_with_waiting(open_ledger, most=10, number=1)
    (place,) = ledger.state().waiting

    assert ledger.state().window == frozenset()
    ledger.advance(1_000)
    ledger.sweep()
    assert (ledger.state().window, ledger.state().waiting) == (frozenset({place}), frozenset())


def test_a_message_claimed_again_before_a_sweep_waits_no_more_once_it_is_final(open_ledger: OpenLedger) -> None:
    ledger = open_with_waiting(open_ledger, most=10, number=1)
    ledger.advance(1_000)

    ledger.settle([final(claim) for claim in ledger.claim(ids(new_messages(1, prefix="waiting")), "claim-2")])

    assert (ledger.state().window, ledger.state().waiting) == (frozenset(), frozenset())


def test_once_too_many_messages_wait_new_ones_go_to_the_backlog_and_stay_there(open_ledger: OpenLedger) -> None:
    ledger = open_with_waiting(open_ledger, most=2, number=2)

    assert ledger.accept([new_message("r1")]) == [Acceptance.BACKLOGGED]
    assert ledger.release() == []


def test_the_backlog_goes_on_when_fewer_messages_wait(open_ledger: OpenLedger) -> None:
    ledger = open_with_waiting(open_ledger, most=2, number=2)
    ledger.accept([new_message("r1")])
    ledger.advance(1_000)
    (swept, *_) = hinted(ledger.sweep())
    ledger.settle([final(claim) for claim in ledger.claim([swept], "claim-2")])

    assert hinted(ledger.release()) == [new_message("r1").message_id]


def test_what_waits_of_one_merchant_or_lane_holds_no_other_one_back(open_ledger: OpenLedger) -> None:
    ledger = open_with_waiting(open_ledger, most=2, number=2)

    assert ledger.accept([new_message("r1", "shop1")], app_id="shop1") == [Acceptance.DUE]
    assert ledger.accept([new_message("r2")], lane=Lane.SINGLE) == [Acceptance.DUE]


def test_what_is_past_its_deadline_is_released_though_too_many_messages_wait(open_ledger: OpenLedger) -> None:
    ledger = open_with_waiting(open_ledger, most=1, number=1)
    message = expiring("r1", 10)
    ledger.accept([message])
    ledger.advance(10)

    assert hinted(ledger.release()) == [message.message_id]
