"""Sweep: whatever is overdue is hinted again, and never removed (DESIGN 5, 9)."""

from tests.ledger_driver import START, OpenLedger, hinted, ids, new_message, new_messages, retry
from worker.contract.messages import Acceptance, Hint, Lane


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


def test_of_two_sweeps_at_the_same_time_one_hints_a_message(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(grace=1_000)
    message = new_message("r1")
    ledger.accept([message])
    ledger.advance(1_000)

    hints = ledger.twice_at_once(lambda both: both.sweep())

    assert sorted(hinted(one) for one in hints) == [[], [message.message_id]]
    assert ledger.state().due == {message.message_id: START + 2_000}


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
