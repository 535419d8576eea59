"""Suspects and poison: messages whose claims ended without being settled (DESIGN 9)."""

from collections.abc import Sequence

import pytest

from tests.ledger_driver import LedgerDriver, OpenLedger, hinted, ids, learnt, new_message, new_messages, retry
from worker.contract.messages import (
    LONE_CRASHES,
    SUSPECTS,
    Channel,
    Claim,
    DeliveryState,
    HintKind,
    Lane,
)
from worker.contract.outcomes import Reason

LEASE = 1_000
MESSAGE = new_message("r1", channels=tuple(Channel))
NAMED = [MESSAGE.message_id]
NORMAL, ALONE = HintKind.NORMAL, HintKind.ALONE


def with_one_message(open_ledger: OpenLedger) -> LedgerDriver:
    ledger = open_ledger(lease=LEASE)
    ledger.accept([MESSAGE])
    return ledger


def crash(ledger: LedgerDriver, names: Sequence[str], *kinds: HintKind) -> None:
    """Claim messages so often, and never settle them."""
    for number, kind in enumerate(kinds):
        assert len(ledger.claim(names, f"lost-{number}", kind=kind)) == len(names)
        ledger.advance(LEASE)


def crash_alone(ledger: LedgerDriver, times: int) -> None:
    crash(ledger, NAMED, NORMAL, HintKind.SUSPECTS, *[ALONE] * times)


def test_a_sweep_hints_messages_with_one_crash_together_in_small_hints_and_others_apart(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger(lease=LEASE)
    messages = new_messages(SUSPECTS + 5)
    ledger.accept(messages)
    crash(ledger, ids(messages[:-2]), NORMAL)
    ledger.advance(10_000)

    hints = ledger.sweep()

    assert [(hint.kind, len(hint.message_ids)) for hint in hints] == [
        (NORMAL, 2),
        (HintKind.SUSPECTS, SUSPECTS),
        (HintKind.SUSPECTS, 3),
    ]
    assert hinted(hints[:1]) == ids(messages[-2:])


def test_a_sweep_hints_messages_with_more_crashes_one_by_one_and_lanes_apart(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=LEASE)
    single, bulk = new_messages(2, prefix="s"), new_messages(2, prefix="b")
    ledger.accept(single, lane=Lane.SINGLE)
    ledger.accept(bulk, lane=Lane.BULK)
    crash(ledger, ids([*single, *bulk]), NORMAL, HintKind.SUSPECTS)
    ledger.advance(10_000)

    hints = ledger.sweep()

    assert {(hint.kind, hint.lane, hint.message_ids) for hint in hints} == {
        (ALONE, lane, (one,)) for lane, messages in ((Lane.SINGLE, single), (Lane.BULK, bulk)) for one in ids(messages)
    }
    assert len(hints) == 4


def test_a_message_stays_a_suspect_after_a_claim_that_was_settled(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    crash(ledger, NAMED, NORMAL)
    ledger.settle([retry(claim, 0) for claim in ledger.claim(NAMED, kind=HintKind.SUSPECTS)])
    ledger.advance(10_000)

    assert [hint.kind for hint in ledger.sweep()] == [HintKind.SUSPECTS]


@pytest.mark.parametrize(
    ("crashes", "takers"),
    [
        (0, {NORMAL, HintKind.SUSPECTS, ALONE}),
        (1, {HintKind.SUSPECTS, ALONE}),
        (2, {ALONE}),
        (3, {ALONE}),
    ],
)
@pytest.mark.parametrize("kind", HintKind)
def test_a_claim_takes_only_what_its_kind_of_hint_may_hold(
    open_ledger: OpenLedger, kind: HintKind, crashes: int, takers: set[HintKind]
) -> None:
    ledger = with_one_message(open_ledger)
    crash(ledger, NAMED, *[NORMAL, HintKind.SUSPECTS, ALONE][:crashes])
    before = ledger.state()

    claims = ledger.claim(NAMED, "claim-1", kind=kind)

    assert [claim.crashes for claim in claims] == ([crashes] if kind in takers else [])
    assert (ledger.state() == before) == (kind not in takers)


def test_a_normal_hint_takes_its_other_messages_although_one_is_a_suspect_by_now(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(lease=LEASE)
    messages = new_messages(3)
    ledger.accept(messages)
    crash(ledger, ids(messages[1:2]), NORMAL)

    claims = ledger.claim(ids(messages))

    assert [claim.message_id for claim in claims] == [messages[0].message_id, messages[2].message_id]


def test_the_same_claim_asked_again_gets_the_same_answer_whatever_its_kind(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    crash(ledger, NAMED, NORMAL)
    claims = ledger.claim(NAMED, "claim-1", kind=HintKind.SUSPECTS)
    before = ledger.state()

    assert ledger.claim(NAMED, "claim-1", kind=NORMAL) == claims
    assert ledger.state() == before


def test_a_crash_leaves_the_open_channels_unanswered_as_nobody_knows_what_was_sent(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    busy = learnt(DeliveryState.OPEN, "BUSY", "try later", channel=Channel.INBOX)
    delivered = learnt(DeliveryState.S)
    ledger.settle([retry(claim, 0, delivered, busy) for claim in ledger.claim(NAMED)])
    crash(ledger, NAMED, NORMAL)

    (claim,) = ledger.claim(NAMED, kind=HintKind.SUSPECTS)

    text = f"O|{ledger.now}|UNANSWERED|a worker died or froze while it held the message"
    assert claim.deliveries == {Channel.PUSH: f"S|{ledger.now - LEASE}", Channel.INBOX: text}
    push, inbox = ledger.find(MESSAGE.message_id).deliveries
    assert (push.reason, inbox.reason) == (None, Reason.UNANSWERED)


def test_a_channel_that_was_unanswered_before_a_crash_keeps_what_was_said_then(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    unanswered = [learnt(DeliveryState.OPEN, "UNANSWERED", "time-out", channel=channel) for channel in Channel]
    ledger.settle([retry(claim, 0, *unanswered) for claim in ledger.claim(NAMED)])
    before = ledger.find(MESSAGE.message_id).deliveries
    crash(ledger, NAMED, NORMAL)

    ledger.claim(NAMED, kind=HintKind.SUSPECTS)

    assert ledger.find(MESSAGE.message_id).deliveries == before


def lone_crashes(claims: Sequence[Claim]) -> list[int]:
    return [claim.lone for claim in claims]


def test_only_crashes_of_claims_alone_are_lone_crashes(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    crash(ledger, NAMED, NORMAL, HintKind.SUSPECTS)

    found = []
    for number in range(3):
        found += lone_crashes(ledger.claim(NAMED, f"claim-{number}", kind=ALONE))
        ledger.advance(LEASE)

    assert found == [0, 1, 2]


def test_a_claim_alone_that_was_settled_is_no_crash(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    crash_alone(ledger, 1)
    ledger.settle([retry(claim, 0) for claim in ledger.claim(NAMED, kind=ALONE)])

    (claim,) = ledger.claim(NAMED, kind=ALONE)

    assert (claim.crashes, claim.lone) == (3, 1)


def test_a_claim_in_company_after_one_alone_is_not_alone(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    ledger.settle([retry(claim, 0) for claim in ledger.claim(NAMED, "claim-1", kind=ALONE)])
    crash(ledger, NAMED, NORMAL)

    assert lone_crashes(ledger.claim(NAMED, kind=ALONE)) == [0]


def test_a_message_is_poison_after_three_lone_crashes_and_its_payload_is_not_handed_out(
    open_ledger: OpenLedger,
) -> None:
    ledger = with_one_message(open_ledger)
    crash_alone(ledger, LONE_CRASHES - 1)
    (suspect,) = ledger.claim(NAMED, "claim-1", kind=ALONE)
    ledger.advance(LEASE)

    (poison,) = ledger.claim(NAMED, "claim-2", kind=ALONE)

    assert (suspect.poison, suspect.payload) == (False, MESSAGE.payload)
    assert (poison.poison, poison.payload) == (True, b"")
    assert ledger.claim(NAMED, "claim-2", kind=ALONE) == [poison]
    assert ledger.state().payloads == {MESSAGE.message_id: MESSAGE.payload}


def test_poison_whose_last_claim_was_lost_too_is_poison_still(open_ledger: OpenLedger) -> None:
    ledger = with_one_message(open_ledger)
    crash_alone(ledger, LONE_CRASHES + 1)

    assert [claim.poison for claim in ledger.claim(NAMED, kind=ALONE)] == [True]
