"""Claim and renew: one holder at a time, fenced by the attempt number (DESIGN 3, 9)."""

from dataclasses import replace

from tests.ledger_driver import (
    DAY,
    START,
    LedgerDriver,
    OpenLedger,
    final,
    ids,
    learnt,
    new_message,
    new_messages,
    retry,
)
from worker.contract.messages import Channel, Claim, DeliveryState, HintKind

MESSAGE = new_message("r1")
NAMED = [MESSAGE.message_id]
SUSPECTS = HintKind.SUSPECTS


def with_one_message(open_ledger: OpenLedger, **limits: int) -> LedgerDriver:
    ledger = open_ledger(**limits)
    ledger.accept([MESSAGE])
    return ledger


def test_a_claim_hands_over_all_that_delivering_needs_and_leases_the_message(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=6_000)
    taken = new_message("r1", channels=(Channel.INBOX,), skipped=(Channel.PUSH,))
    message = replace(taken, payload=b"\x00\xff raw \r\n")
    ledger.accept([message])
    ledger.advance(100)

    expected = Claim(
        message_id=message.message_id,
        claim_id="claim-1",
        attempt=1,
        tries=0,
        crashes=0,
        taken_at=START,
        claimed_at=START + 100,
        expires_at=START + DAY,
        deliveries={Channel.PUSH: "K", Channel.INBOX: "O"},
        payload=b"\x00\xff raw \r\n",
        app_id="shop",
    )
    assert ledger.claim(NAMED) == [expected]
    assert ledger.state().due == {message.message_id: START + 6_100}
    assert ledger.state().records[message.message_id].lease == START + 6_100


def test_the_same_claim_asked_again_gets_the_same_answer_and_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=6_000)
    messages = new_messages(3)
    ledger.accept(messages)
    claims = ledger.claim(ids(messages))
    before = ledger.state()
    ledger.advance(5_999)

    assert ledger.claim(ids(messages)) == claims
    assert ledger.state() == before


def test_a_message_named_twice_in_a_hint_is_handed_over_once(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)

    assert len(ledger.claim(NAMED * 2)) == 1
    assert len(ledger.claim(NAMED * 300)) == 1


def test_a_second_worker_gets_nothing_while_the_lease_runs(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger, lease=6_000)
    ledger.claim(NAMED, "claim-1")
    before = ledger.state()
    ledger.advance(5_999)

    assert ledger.claim(NAMED, "claim-2") == []
    assert ledger.state() == before


def test_after_the_lease_another_claim_raises_the_attempt_and_counts_a_crash(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger, lease=6_000)
    ledger.claim(NAMED, "claim-1")
    ledger.advance(6_000)

    (claim,) = ledger.claim(NAMED, "claim-2", kind=SUSPECTS)

    assert (claim.attempt, claim.crashes, claim.tries) == (2, 1, 0)
    assert ledger.claim(NAMED, "claim-2", kind=SUSPECTS) == [claim]
    assert (ledger.find(MESSAGE.message_id).attempts, ledger.find(MESSAGE.message_id).crashes) == (2, 1)


def test_a_claim_repeated_after_its_lease_is_a_new_attempt(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger, lease=6_000)
    (lost,) = ledger.claim(NAMED, "claim-1")
    ledger.advance(6_000)

    (claim,) = ledger.claim(NAMED, "claim-1", kind=SUSPECTS)

    assert (lost.attempt, claim.attempt, claim.crashes) == (1, 2, 1)


def test_a_retry_is_not_claimed_before_its_time(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    ledger.settle([retry(claim, 1_000) for claim in ledger.claim(NAMED, "claim-1")])
    before = ledger.state()
    ledger.advance(999)

    assert ledger.claim(NAMED, "claim-1") == []
    assert ledger.claim(NAMED, "claim-2") == []
    assert ledger.state() == before


def test_a_retry_is_claimed_at_its_time_with_what_was_learnt_before(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1", channels=tuple(Channel))])
    delivered = learnt(DeliveryState.S, channel=Channel.INBOX)
    unanswered = learnt(DeliveryState.OPEN, "UNANSWERED", "no | answer")
    ledger.settle([retry(claim, 1_000, delivered, unanswered) for claim in ledger.claim(NAMED, "claim-1")])
    ledger.advance(1_000)

    (claim,) = ledger.claim(NAMED, "claim-2")

    assert (claim.attempt, claim.tries, claim.crashes) == (2, 1, 0)
    assert claim.deliveries == {Channel.PUSH: f"O|{START}|UNANSWERED|no | answer", Channel.INBOX: f"S|{START}"}
    assert ledger.find(MESSAGE.message_id).next_at is None


def test_what_is_unknown_backlogged_or_final_is_not_claimed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=1)
    messages = new_messages(2)
    ledger.accept(messages)
    ledger.settle([final(claim) for claim in ledger.claim(ids(messages[:1]))])
    before = ledger.state()

    assert ledger.claim(["f" * 32, *ids(messages)], "claim-2") == []
    assert ledger.state() == before


def test_a_hint_for_another_shard_claims_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=2)
    ledger.accept(new_messages(6))
    homes = {one: outcome for one, outcome in ledger.state().due.items() if int(one[:8], 16) % 2 == 0}

    assert ledger.claim(list(homes), shard=1) == []
    assert len(ledger.claim(list(homes), shard=0)) == len(homes) > 0


def test_more_messages_than_one_script_takes_are_claimed_in_the_order_named(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    messages = new_messages(250)
    ledger.accept(messages)

    assert [claim.message_id for claim in ledger.claim(ids(messages))] == ids(messages)


def test_renewing_extends_the_lease_from_now_on(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger, lease=6_000)
    claims = ledger.claim(NAMED)
    ledger.advance(4_000)

    assert ledger.renew(claims) == [True]

    after = ledger.state()
    assert (after.due[MESSAGE.message_id], after.records[MESSAGE.message_id].lease) == (START + 10_000, START + 10_000)
    assert ledger.renew(claims) == [True]
    assert ledger.state() == after
    ledger.advance(5_999)
    assert ledger.claim(NAMED, "claim-2") == []


def test_a_lease_that_ran_out_is_renewed_as_long_as_nobody_else_took_the_message(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger, lease=6_000)
    claims = ledger.claim(NAMED)
    ledger.advance(6_000)
    ledger.sweep()

    assert ledger.renew(claims) == [True]
    assert ledger.claim(NAMED, "claim-2") == []


def test_a_claim_that_another_one_followed_or_that_was_settled_is_not_renewed(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=6_000)
    messages = new_messages(3)
    ledger.accept(messages)
    taken_over, settled, waiting = ledger.claim(ids(messages))
    ledger.settle([final(settled), retry(waiting)])
    ledger.advance(6_000)
    ledger.claim([taken_over.message_id], "claim-2", kind=SUSPECTS)
    before = ledger.state()
    unknown = replace(settled, message_id="f" * 32)

    assert ledger.renew([taken_over, settled, waiting, unknown]) == [False] * 4
    assert ledger.state() == before


def test_an_earlier_attempt_of_the_same_claim_id_is_not_renewed(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger, lease=6_000)
    earlier = ledger.claim(NAMED)
    ledger.advance(6_000)
    newest = ledger.claim(NAMED, kind=SUSPECTS)

    assert ledger.renew([*earlier, *newest]) == [False, True]


def test_of_two_workers_with_the_same_hint_at_the_same_time_one_gets_the_message(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    claim_ids = iter(["claim-1", "claim-2"])

    claims = ledger.twice_at_once(lambda both: both.claim(0, NAMED, next(claim_ids)))

    assert sorted(len(taken) for taken in claims) == [0, 1]


def test_renewals_are_answered_in_the_order_asked(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4)
    messages = new_messages(12)
    ledger.accept(messages)
    claims = [claim for shard in range(4) for claim in ledger.claim(ids(messages), shard=shard)]
    ledger.settle([final(claim) for claim in claims[::3]])

    assert ledger.renew(claims) == [index % 3 != 0 for index in range(12)]
