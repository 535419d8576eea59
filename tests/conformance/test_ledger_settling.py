"""Settle: a compare-and-set on the claim, once, moving counters only on transitions (DESIGN 4, 7, 8)."""

from dataclasses import replace

from tests.ledger_driver import (
    START,
    LedgerDriver,
    OpenLedger,
    dead,
    final,
    ids,
    learnt,
    new_message,
    new_messages,
    retry,
)
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, DeliveryState, HintKind, Lane, Settled
from worker.contract.outcomes import Reason, Tally, TimelineEntry

DONE, ALREADY, STALE = Settled.DONE, Settled.ALREADY, Settled.STALE
BOTH = new_message("r1", channels=tuple(Channel))
S, F, U, OPEN = DeliveryState.S, DeliveryState.F, DeliveryState.U, DeliveryState.OPEN
PLACE = ("shop", Channel.PUSH)


def with_messages(open_ledger: OpenLedger, number: int = 1, **limits: int) -> LedgerDriver:
    ledger = open_ledger(**limits)
    ledger.accept(new_messages(number, prefix="r"))
    return ledger


NAMED = ids(new_messages(3, prefix="r"))


def test_R54_a_delivered_message_is_final_kept_for_its_retention_and_loses_its_payload(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, retention=50_000)
    (claim,) = ledger.claim(NAMED[:1])
    ledger.advance(70)

    assert ledger.settle([final(claim)]) == [DONE]

    state = ledger.state()
    assert (state.due, state.backlogs, state.window, state.payloads, state.dead) == ({}, {}, frozenset(), {}, {})
    assert state.retention == {claim.message_id: START + 50_070}
    assert state.tallies == {PLACE: Tally(accepted=1, S=1)}


def test_R70_a_delivered_message_tells_when_and_how_it_came_about(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    ledger.advance(10)
    (claim,) = ledger.claim(NAMED[:1])
    ledger.advance(70)
    ledger.settle([final(claim)])

    outcome = ledger.find(claim.message_id)

    assert (outcome.whole.status, outcome.settled_at, outcome.tries) == (ResultStatus.S, START + 80, 1)
    assert outcome.timeline == (TimelineEntry(1, START + 10, START + 80, "w1", ("PUSH=S:",)),)


def test_settling_a_second_time_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, 3)
    delivered, later, given_up = ledger.claim(NAMED)
    settlements = [final(delivered), retry(later), dead(given_up)]
    ledger.settle(settlements)
    before = ledger.state()
    ledger.advance(100)

    assert ledger.settle(settlements) == [ALREADY] * 3
    assert ledger.state() == before


def test_one_call_that_settles_a_claim_twice_counts_the_first(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    (claim,) = ledger.claim(NAMED[:1])

    assert ledger.settle([final(claim), dead(claim)]) == [DONE, ALREADY]
    assert ledger.state().tallies == {PLACE: Tally(accepted=1, S=1)}


def test_a_claim_that_another_one_followed_is_stale_and_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, lease=6_000)
    (lost,) = ledger.claim(NAMED[:1], "claim-1")
    ledger.advance(6_000)
    ledger.claim(NAMED[:1], "claim-2", kind=HintKind.SUSPECTS)
    before = ledger.state()

    assert ledger.settle([final(lost), retry(lost), dead(lost)]) == [STALE] * 3
    assert ledger.state() == before


def test_an_earlier_attempt_of_the_same_claim_id_is_stale(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, lease=6_000)
    (lost,) = ledger.claim(NAMED[:1])
    ledger.advance(6_000)
    (newest,) = ledger.claim(NAMED[:1], kind=HintKind.SUSPECTS)

    assert ledger.settle([final(lost), final(newest)]) == [STALE, DONE]


def test_a_claim_of_an_unknown_or_never_claimed_message_is_stale(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, 2)
    (claim,) = ledger.claim(NAMED[:1])
    before = ledger.state()
    strangers = [replace(claim, message_id=one) for one in ("f" * 32, NAMED[1])]

    assert ledger.settle([final(stranger) for stranger in strangers]) == [STALE, STALE]
    assert ledger.state() == before


def test_an_outcome_that_comes_after_the_lease_counts_as_long_as_nobody_else_took_the_message(
    open_ledger: OpenLedger,
) -> None:
    ledger = with_messages(open_ledger, lease=6_000)
    (claim,) = ledger.claim(NAMED[:1])
    ledger.advance(60_000)
    ledger.sweep()

    assert ledger.settle([final(claim)]) == [DONE]
    assert ledger.find(claim.message_id).crashes == 0
    assert ledger.state().due == {}


def test_a_retry_waits_in_the_due_index_and_leaves_its_merchants_window(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    (claim,) = ledger.claim(NAMED[:1])
    ledger.advance(10)

    assert ledger.settle([retry(claim, 2_000)]) == [DONE]

    state = ledger.state()
    assert (state.due, state.window) == ({claim.message_id: START + 2_010}, frozenset())
    assert state.payloads == {claim.message_id: claim.payload}
    assert state.tallies == {PLACE: Tally(accepted=1, open=1)}
    outcome = ledger.find(claim.message_id)
    assert (outcome.next_at, outcome.tries, outcome.settled_at) == (START + 2_010, 1, None)
    assert (outcome.whole.status, outcome.whole.reason) == (ResultStatus.U, Reason.UNANSWERED)


def test_a_waiting_retry_leaves_room_for_a_newcomer(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, 1, window_bulk=1)
    ledger.settle([retry(claim) for claim in ledger.claim(NAMED[:1])])
    newcomer = new_message("newcomer")
    ledger.accept([newcomer])

    assert ledger.state().window == {(Lane.BULK, "shop", newcomer.message_id)}


def test_a_settlement_without_a_try_burns_none(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    (claim,) = ledger.claim(NAMED[:1])

    ledger.settle([replace(retry(claim, 0), tries=0)])

    assert (ledger.find(claim.message_id).attempts, ledger.find(claim.message_id).tries) == (1, 0)


def test_a_retry_that_learnt_nothing_of_a_channel_keeps_what_was_known(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    ledger.settle([retry(claim, 0) for claim in ledger.claim(NAMED[:1], "claim-1")])
    known = ledger.find(NAMED[0]).deliveries

    ledger.settle([replace(retry(claim, 0), updates=()) for claim in ledger.claim(NAMED[:1], "claim-2")])

    assert ledger.find(NAMED[0]).deliveries == known
    assert [entry.results for entry in ledger.find(NAMED[0]).timeline] == [("PUSH=O:UNANSWERED",), ()]


def test_a_dead_letter_keeps_all_that_replaying_needs(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    (claim,) = ledger.claim(NAMED[:1])
    ledger.advance(10)

    assert ledger.settle([dead(claim, cause="EXPIRED")]) == [DONE]

    state = ledger.state()
    assert state.dead == {claim.message_id: START + 10}
    assert state.payloads == {claim.message_id: claim.payload}
    assert (state.due, state.window, state.retention) == ({}, frozenset(), {})
    assert state.tallies == {PLACE: Tally(accepted=1, F=1)}
    assert ledger.find(claim.message_id).dead_cause == "EXPIRED"


def test_R73_one_channel_delivered_and_one_failed_is_counted_each_for_itself(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([BOTH])
    refused = learnt(F, "USER_BLOCKED", "blocked | for good", Channel.INBOX)

    ledger.settle([final(claim, learnt(S), refused) for claim in ledger.claim([BOTH.message_id])])

    state = ledger.state()
    assert state.tallies == {PLACE: Tally(accepted=1, S=1), ("shop", Channel.INBOX): Tally(accepted=1, F=1)}
    assert state.payloads.keys() == {BOTH.message_id}
    push, inbox = ledger.find(BOTH.message_id).deliveries
    assert (push.state, push.code, inbox.code, inbox.message) == (S, "", "USER_BLOCKED", "blocked | for good")
    assert ledger.find(BOTH.message_id).whole.partial


def test_a_final_message_with_an_outcome_that_is_not_S_keeps_its_payload(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger, 3)
    ends = (learnt(U, "UNANSWERED", ""), learnt(F, "USER_BLOCKED", ""), learnt(S))

    ledger.settle([final(claim, end) for claim, end in zip(ledger.claim(NAMED), ends, strict=True)])

    state = ledger.state()
    assert state.payloads.keys() == set(NAMED[:2])
    assert state.tallies == {PLACE: Tally(accepted=3, U=1, F=1, S=1)}


def test_counters_move_only_when_a_channel_changes_its_state(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([BOTH])
    inbox = ("shop", Channel.INBOX)
    waiting = learnt(OPEN, "BUSY", "again", Channel.INBOX)
    seen = []
    for updates in ([waiting], [learnt(S), waiting], [waiting]):
        ledger.settle([retry(claim, 0, *updates) for claim in ledger.claim([BOTH.message_id])])
        seen.append(ledger.state().tallies)
    ledger.settle(
        [dead(claim, learnt(U, "UNANSWERED", "", Channel.INBOX)) for claim in ledger.claim([BOTH.message_id])]
    )

    still_open, delivered = Tally(accepted=1, open=1), Tally(accepted=1, S=1)
    assert seen == [{PLACE: push, inbox: still_open} for push in (still_open, delivered, delivered)]
    assert ledger.state().tallies == {PLACE: delivered, inbox: Tally(accepted=1, U=1)}


def test_a_channel_that_has_S_never_changes_again(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([BOTH])
    ledger.settle([retry(claim, 0, learnt(S)) for claim in ledger.claim([BOTH.message_id], "claim-1")])
    delivered = ledger.find(BOTH.message_id).deliveries[0]
    ledger.advance(10)

    worse = (learnt(F, "PROCESS_FAIL", "no"), learnt(F, "PROCESS_FAIL", "no", Channel.INBOX))
    ledger.settle([final(claim, *worse) for claim in ledger.claim([BOTH.message_id], "claim-2")])

    outcome = ledger.find(BOTH.message_id)
    assert outcome.deliveries[0] == delivered
    assert outcome.timeline[-1].results == ("INBOX=F:PROCESS_FAIL",)
    assert ledger.state().tallies[PLACE] == Tally(accepted=1, S=1)


def test_R73_an_update_of_a_skipped_channel_is_ignored_and_S_of_the_other_erases_the_payload(
    open_ledger: OpenLedger,
) -> None:
    ledger = open_ledger()
    ledger.accept([new_message("r1", channels=(Channel.PUSH,), skipped=(Channel.INBOX,))])
    both = (learnt(S), learnt(S, channel=Channel.INBOX))

    ledger.settle([final(claim, *both) for claim in ledger.claim([BOTH.message_id])])

    assert ledger.find(BOTH.message_id).deliveries[1].state is DeliveryState.SKIPPED
    assert (ledger.state().payloads, ledger.state().tallies) == ({}, {PLACE: Tally(accepted=1, S=1)})


def test_the_timeline_keeps_the_first_10_and_the_last_40_attempts(open_ledger: OpenLedger) -> None:
    ledger = with_messages(open_ledger)
    for _ in range(65):
        ledger.settle([retry(claim, 0) for claim in ledger.claim(NAMED[:1])])

    outcome = ledger.find(NAMED[0])

    assert [entry.attempt for entry in outcome.timeline] == [*range(1, 11), *range(26, 66)]
    assert outcome.attempts == outcome.tries == 65


def test_settlements_are_answered_in_the_order_given(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4)
    messages = new_messages(250)
    ledger.accept(messages)
    claims = [claim for shard in range(4) for claim in ledger.claim(ids(messages), shard=shard)]
    ledger.settle([final(claim) for claim in claims[::5]])

    assert ledger.settle([final(claim) for claim in claims]) == [
        ALREADY if index % 5 == 0 else DONE for index in range(250)
    ]
    assert ledger.state().tallies == {PLACE: Tally(accepted=250, S=250)}
