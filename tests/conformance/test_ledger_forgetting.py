"""Forget: what is over and past its retention goes, its count stays (DESIGN 8; CONTRACT R54)."""

from tests.ledger_driver import OpenLedger, dead, final, ids, learnt, new_message, new_messages, retry
from worker.contract.messages import Acceptance, Channel, DeliveryState, Settled
from worker.contract.outcomes import Tally

PLACE = ("shop", Channel.PUSH)


def test_two_that_forget_at_the_same_time_count_each_message_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=0)
    ledger.accept(new_messages(3))
    ledger.settle([final(claim) for claim in ledger.claim(ids(new_messages(3)))])

    assert sum(ledger.twice_at_once(lambda both: both.forget())) == 3
    assert ledger.state().tallies == {PLACE: Tally(accepted=3, forgotten=3)}


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


def test_R54_failed_and_unanswered_messages_are_forgotten_with_their_payloads(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=0)
    messages = new_messages(2)
    ledger.accept(messages)
    ends = (learnt(DeliveryState.F, "USER_BLOCKED"), learnt(DeliveryState.U, "UNANSWERED"))
    ledger.settle([final(claim, end) for claim, end in zip(ledger.claim(ids(messages)), ends, strict=True)])

    assert ledger.forget() == 2
    assert (ledger.state().records, ledger.state().payloads) == ({}, {})
    assert ledger.state().tallies == {PLACE: Tally(accepted=2, forgotten=2)}


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
