"""Sweep, release, forget: what is overdue comes back, what waits has its turn, what is over goes (DESIGN 5, 6, 8)."""

from tests.ledger_driver import START, LedgerDriver, OpenLedger, dead, final, ids, new_message, new_messages, retry
from worker.contract.messages import Acceptance, Channel, Hint, Lane, Settled
from worker.contract.outcomes import Tally

PLACE = ("shop", Channel.PUSH)


def hinted(hints: list[Hint]) -> list[str]:
    return [message_id for hint in hints for message_id in hint.message_ids]


def test_a_sweep_hints_only_what_is_overdue_and_moves_it_by_a_grace(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=3_000)
    messages = new_messages(2)
    ledger.accept(messages[:1])
    ledger.advance(2_999)
    ledger.accept(messages[1:])
    too_early = ledger.sweep()
    ledger.advance(1)

    assert too_early == []
    assert ledger.sweep() == [Hint(Lane.BULK, 0, tuple(ids(messages[:1])))]
    assert ledger.state().due == {messages[0].message_id: START + 6_000, messages[1].message_id: START + 5_999}


def test_a_second_sweep_at_once_hints_nothing_and_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept(new_messages(5))
    ledger.advance(10_000)
    ledger.sweep()
    before = ledger.state()

    assert ledger.sweep() == []
    assert ledger.state() == before


def test_a_hint_that_is_lost_comes_again_after_a_grace_that_doubles_up_to_its_bound(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=1_000, longest_grace=5_000)
    message = new_message("r1")
    ledger.accept([message])
    waits = []
    for _ in range(5):
        ledger.advance(ledger.state().due[message.message_id] - ledger.now)
        assert hinted(ledger.sweep()) == [message.message_id]
        waits.append(ledger.state().due[message.message_id] - ledger.now)

    assert waits == [1_000, 2_000, 4_000, 5_000, 5_000]


def test_a_claim_starts_the_grace_anew(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=1_000)
    message = new_message("r1")
    ledger.accept([message])
    for _ in range(3):
        ledger.advance(10_000)
        ledger.sweep()
    ledger.settle([retry(claim, 0) for claim in ledger.claim([message.message_id])])

    ledger.sweep()

    assert ledger.state().due == {message.message_id: ledger.now + 1_000}


def test_one_sweep_takes_a_bounded_number_of_each_shard_the_longest_overdue_first(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(sweep_size=2)
    messages = new_messages(5)
    for message in messages:
        ledger.accept([message])
        ledger.advance(1)
    ledger.advance(10_000)

    swept = [hinted(ledger.sweep()) for _ in range(4)]

    assert swept == [ids(messages[:2]), ids(messages[2:4]), ids(messages[4:]), []]


def test_a_sweep_fills_hints_of_at_most_200_messages(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(sweep_size=400)
    ledger.accept(new_messages(250))
    ledger.advance(10_000)

    assert [len(hint.message_ids) for hint in ledger.sweep()] == [200, 50]


def test_lanes_and_shards_are_hinted_apart(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3)
    ledger.accept(new_messages(9, prefix="b"), lane=Lane.BULK)
    ledger.accept(new_messages(9, prefix="s"), lane=Lane.SINGLE)
    ledger.advance(10_000)

    hints = ledger.sweep()

    assert len(hints) == 6
    assert {(hint.lane, hint.shard) for hint in hints} == {(lane, shard) for lane in Lane for shard in range(3)}
    for hint in hints:
        assert len(ledger.claim(hint.message_ids, shard=hint.shard)) == len(hint.message_ids)
        assert {ledger.find(one).lane for one in hint.message_ids} == {hint.lane}


def test_a_message_with_a_crash_is_hinted_alone(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=1_000)
    messages = new_messages(4)
    ledger.accept(messages)
    ledger.claim(ids(messages[:2]))
    ledger.advance(10_000)

    after_the_crash = ledger.sweep()
    ledger.settle([retry(claim, 0) for claim in ledger.claim(ids(messages[:2]), "claim-2")])
    ledger.advance(60_000)
    later = ledger.sweep()

    for hints in (after_the_crash, later):
        assert sorted(len(hint.message_ids) for hint in hints) == [1, 1, 2]
        assert set(hints[0].message_ids) == set(ids(messages[2:]))


def test_a_message_whose_lease_runs_is_not_hinted(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=1_000, lease=60_000)
    message = new_message("r1")
    ledger.accept([message])
    ledger.claim([message.message_id])
    ledger.advance(59_999)

    assert ledger.sweep() == []


def test_a_retry_whose_time_has_come_is_hinted_and_occupies_its_window_again(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1)
    messages = new_messages(2)
    ledger.accept(messages[:1])
    ledger.settle([retry(claim, 500) for claim in ledger.claim(ids(messages[:1]))])
    ledger.advance(500)

    assert hinted(ledger.sweep()) == ids(messages[:1])
    assert ledger.accept(messages[1:]) == [Acceptance.BACKLOGGED]


def test_release_fills_the_window_with_the_oldest_of_the_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=3, grace=3_000)
    messages = new_messages(8)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:2]))])
    ledger.advance(50)

    assert ledger.release() == [Hint(Lane.BULK, 0, tuple(ids(messages[3:5])))]

    state = ledger.state()
    assert state.due == dict.fromkeys(ids(messages[2:3]), START + 3_000) | dict.fromkeys(
        ids(messages[3:5]), START + 3_050
    )
    assert state.backlogs == {(0, Lane.BULK, "shop"): tuple(ids(messages[5:]))}
    assert len(state.window) == 3


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


def test_merchants_take_turns_of_equal_numbers_of_messages(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, {"large": 180, "small": 70}, window=100)

    turns = [merchants_of(ledger, ledger.release()) for _ in range(3)]

    assert turns == [{"large": 50, "small": 50}, {"large": 50, "small": 20}, {}]


def test_one_release_is_bounded_and_the_next_begins_with_who_was_served_least(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, dict.fromkeys("abcde", 60), window=60)

    turns = [merchants_of(ledger, ledger.release()) for _ in range(2)]

    assert turns == [dict.fromkeys("abcd", 50), {"e": 50} | dict.fromkeys("abcd", 10)]


def test_a_newcomer_gets_no_credit_for_the_time_before_it_came(open_ledger: OpenLedger) -> None:
    ledger = open_with_room(open_ledger, {"early": 120}, window=60)
    ledger.release()
    ledger.accept(new_messages(61, app_id="late"), app_id="late")

    served = ledger.state().released

    assert served == {(0, Lane.BULK, "early"): 50, (0, Lane.BULK, "late"): 50}


def test_what_is_not_past_its_retention_is_not_forgotten(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1_000)
    ledger.accept(new_messages(1))
    ledger.settle([final(claim) for claim in ledger.claim(ids(new_messages(1)))])
    ledger.advance(999)
    before = ledger.state()

    assert ledger.forget() == 0
    assert ledger.state() == before


def test_R54_after_its_retention_a_message_is_erased_and_counted_as_forgotten(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=3, retention=1_000)
    message = new_message("two", channels=tuple(Channel))
    ledger.accept([*new_messages(6), new_message("one", skipped=(Channel.INBOX,)), message])
    for shard in range(3):
        claims = ledger.claim([*ids(new_messages(6)), *ids([new_message("one"), message])], shard=shard)
        ledger.settle([final(claim) for claim in claims if claim.message_id != message.message_id])
    ledger.advance(1_000)

    assert ledger.forget() == 7
    after = ledger.state()
    assert after.records.keys() == after.payloads.keys() == {message.message_id}
    assert after.retention == {}
    assert after.tallies == {
        PLACE: Tally(accepted=8, open=1, forgotten=7),
        ("shop", Channel.INBOX): Tally(accepted=1, open=1),
    }
    assert ledger.forget() == 0
    assert ledger.state() == after


def test_R54_neither_open_nor_dead_messages_are_ever_forgotten(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1_000, window_bulk=3)
    messages = new_messages(4)
    ledger.accept(messages)
    given_up, later, _ = ledger.claim(ids(messages))
    ledger.settle([dead(given_up), retry(later)])
    ledger.advance(10**12)
    before = ledger.state()

    assert ledger.forget() == 0
    assert ledger.state() == before


def test_R54_a_forgotten_request_is_taken_as_new(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1_000)
    message = new_message("r1")
    ledger.accept([message])
    (old,) = ledger.claim([message.message_id])
    ledger.settle([final(old)])
    ledger.advance(1_000)
    ledger.forget()

    assert ledger.accept([message]) == [Acceptance.DUE]
    assert ledger.settle([final(old)]) == [Settled.STALE]
    assert ledger.state().tallies == {PLACE: Tally(accepted=2, open=1, forgotten=1)}


def test_forgetting_takes_a_bounded_number_of_each_shard_at_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1_000)
    messages = new_messages(250)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages))])
    ledger.advance(1_000)

    assert [ledger.forget() for _ in range(3)] == [200, 50, 0]
