"""Dead letters: found by what they are, opened again without S, let go; once in a run (DESIGN 7, 8)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.ledger_driver import (
    ANY,
    DAY,
    START,
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
from worker.contract.dead_letters import DeadChannel, DeadLetter, DeadLetterQuery, Discarded, Replayed
from worker.contract.messages import Channel, DeadCause, DeliveryState, DeliveryUpdate, Lane, NewMessage, Settled
from worker.contract.outcomes import Intervention, InterventionKind, Tally, TimelineEntry

S, F, U, OPEN, SKIPPED = (
    DeliveryState.S,
    DeliveryState.F,
    DeliveryState.U,
    DeliveryState.OPEN,
    DeliveryState.SKIPPED,
)
PUSH, INBOX = Channel.PUSH, Channel.INBOX
SENT, SUPPRESSED, REFUSED = Replayed.SENT, Replayed.SUPPRESSED, Replayed.REFUSED
PLACE = ("shop", PUSH)
FAILED = DeliveryUpdate(PUSH, F, "PROCESS_FAIL", "gave up", "gcash")
UNKNOWN = DeliveryUpdate(INBOX, U, "UNANSWERED", "time-out", "gcash-2")


def both(request_id: str, app_id: str = "shop") -> NewMessage:
    return new_message(request_id, app_id, channels=tuple(Channel))


def die(ledger: LedgerDriver, message: NewMessage, *updates: DeliveryUpdate, cause: str = "TRIES") -> None:
    """Let one message that is due become a dead letter."""
    (claim,) = ledger.claim([message.message_id], f"claim of {message.request_id}")
    assert ledger.settle([dead(claim, *updates, cause=cause)]) == [Settled.DONE]


def with_letter(ledger: LedgerDriver, *updates: DeliveryUpdate) -> DeadLetter:
    """Return the one dead letter of a ledger, with PUSH and INBOX."""
    ledger.accept([both("r0")])
    die(ledger, both("r0"), *updates)
    return only(ledger)


def only(ledger: LedgerDriver) -> DeadLetter:
    (letter,) = ledger.letters().letters
    return letter


def requests(letters: Sequence[DeadLetter]) -> list[str]:
    return [letter.request_id for letter in letters]


def test_a_dead_letter_tells_why_it_died_and_which_gateways_were_asked(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.advance(70)

    letter = with_letter(ledger, FAILED, UNKNOWN)

    assert letter == DeadLetter(
        message_id=both("r0").message_id,
        app_id="shop",
        request_id="r0",
        lane=Lane.BULK,
        template_code="PAY",
        template_version=3,
        cause="TRIES",
        died_at=START + 70,
        channels=(
            DeadChannel(PUSH, F, "PROCESS_FAIL", "gcash"),
            DeadChannel(INBOX, U, "UNANSWERED", "gcash-2"),
        ),
    )
    assert ledger.find_letters([letter.message_id, "f" * 32, letter.message_id]) == [letter, None, letter]


def test_the_gateway_of_a_letter_is_the_one_that_was_asked_last(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([both("r0")])
    for gateway in ("gcash", "gcash-2", ""):
        (claim,) = ledger.claim([both("r0").message_id], f"claim of {gateway}")
        ledger.settle([retry(claim, 0, DeliveryUpdate(PUSH, OPEN, "BUSY", "later", gateway))])
    die(ledger, both("r0"), learnt(F, "EXPIRED", "too late"), learnt(S, channel=INBOX))

    assert [channel.gateway for channel in only(ledger).channels] == ["gcash-2", ""]


def test_letters_come_newest_first_page_by_page(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4)
    messages = new_messages(12)
    ledger.accept(messages)
    for message in messages:
        ledger.advance(1)
        (claim,) = [claim for shard in range(4) for claim in ledger.claim([message.message_id], "claim-1", shard)]
        ledger.settle([dead(claim)])

    first = ledger.letters(most=5)
    second = ledger.letters(most=5, after=first.more_after)
    third = ledger.letters(most=5, after=second.more_after)

    assert requests(first.letters) == ["r11", "r10", "r9", "r8", "r7"]
    assert requests(second.letters + third.letters) == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]
    assert third.more_after is None


def test_letters_of_one_moment_are_paged_without_loss_or_repeat(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    messages = new_messages(150)
    ledger.accept(messages)
    ledger.settle([dead(claim) for claim in ledger.claim(ids(messages))])

    found, after, more = list[DeadLetter](), None, True
    while more:
        page = ledger.letters(most=7, after=after)
        found += page.letters
        after, more = page.more_after, page.more_after is not None

    assert sorted(requests(found)) == sorted(message.request_id for message in messages)


def test_pages_stay_right_while_letters_come_and_go(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept(new_messages(6))
    for message in new_messages(6)[:5]:
        ledger.advance(1)
        die(ledger, message)
    page = ledger.letters(most=2)

    ledger.advance(1)
    die(ledger, new_messages(6)[5])
    ledger.discard([page.letters[-1], *ledger.find_letters([new_message("r1").message_id])])  # type: ignore[list-item]

    assert requests(page.letters) == ["r4", "r3"]
    assert requests(ledger.letters(after=page.more_after).letters) == ["r2", "r0"]


QUERIES = {
    "app": (DeadLetterQuery(app_id="cafe"), ["tea"]),
    "app that begins like another": (DeadLetterQuery(app_id="caf"), []),
    "request": (DeadLetterQuery(request_id="r1"), ["r1"]),
    "template": (DeadLetterQuery(template_code="PAY"), ["tea", "r2", "r1", "r0"]),
    "another template": (DeadLetterQuery(template_code="PA"), []),
    "cause": (DeadLetterQuery(cause=DeadCause.EXPIRED), ["r1"]),
    "code": (DeadLetterQuery(code="BUSY"), ["tea", "r0"]),
    "code like a pattern": (DeadLetterQuery(code="B.*"), []),
    "gateway": (DeadLetterQuery(gateway="gate-1"), ["r2", "r0"]),
    "channel": (DeadLetterQuery(channel=INBOX), ["r2"]),
    "channel and code of one": (DeadLetterQuery(channel=PUSH, code="UNANSWERED"), []),
    "channel, code and gateway": (DeadLetterQuery(channel=INBOX, code="UNANSWERED", gateway="gate-1"), ["r2"]),
    "code and gateway of two channels": (DeadLetterQuery(code="EXPIRED", gateway="gate-1"), []),
    "gateway of a channel with S": (DeadLetterQuery(gateway="gate-2"), []),
    "code with white space": (DeadLetterQuery(code="NOT SO FAST"), ["r1"]),
    "from": (DeadLetterQuery(died_from=START + 3), ["tea", "r2"]),
    "until": (DeadLetterQuery(died_until=START + 2), ["r1", "r0"]),
    "from and until": (DeadLetterQuery(died_from=START + 2, died_until=START + 3), ["r2", "r1"]),
    "app and cause": (DeadLetterQuery(app_id="shop", cause=DeadCause.TRIES), ["r2", "r0"]),
    "nothing": (ANY, ["tea", "r2", "r1", "r0"]),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_finds_the_letters_that_are_all_it_says(open_ledger: OpenLedger, name: str) -> None:
    ledger = open_ledger()
    ledger.accept([both("r0"), both("r1"), both("r2")])
    ledger.accept([both("tea", "cafe")], app_id="cafe")
    delivered = DeliveryUpdate(INBOX, S, "", "", "gate-2")
    ends = {
        "r0": (DeliveryUpdate(PUSH, F, "BUSY", "", "gate-1"), delivered),
        "r1": (learnt(F, "NOT SO FAST", "no"), delivered),
        "r2": (learnt(F, "PROCESS_FAIL", ""), DeliveryUpdate(INBOX, U, "UNANSWERED", "", "gate-1")),
        "tea": (learnt(F, "BUSY", ""), delivered),
    }
    for request_id, updates in ends.items():
        ledger.advance(1)
        app = "cafe" if request_id == "tea" else "shop"
        die(ledger, both(request_id, app), *updates, cause="EXPIRED" if request_id == "r1" else "TRIES")
    query, expected = QUERIES[name]

    assert requests(ledger.letters(query).letters) == expected


def test_a_code_from_outside_can_not_pass_for_another_field(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    with_letter(ledger, learnt(F, "X app=cafe INBOX=F/BUSY", ""), learnt(S, channel=INBOX))

    assert ledger.letters(DeadLetterQuery(app_id="cafe")).letters == ()
    assert only(ledger).channels[0].code == "X_app=cafe_INBOX=F/BUSY"


def test_a_replay_opens_F_and_U_and_never_S(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    letter = with_letter(ledger, FAILED, learnt(S, channel=INBOX))
    ledger.advance(10)

    assert ledger.replay([letter], within=500) == [SENT]

    outcome = ledger.find(letter.message_id)
    assert [delivery.state for delivery in outcome.deliveries] == [OPEN, S]
    assert (outcome.dead_cause, outcome.expires_at, outcome.tries, outcome.attempts) == ("", START + 510, 0, 1)
    state = ledger.state()
    assert (state.dead, state.dead_letters, state.due) == ({}, (), {letter.message_id: START + 10})
    assert state.tallies == {PLACE: Tally(accepted=1, open=1), ("shop", INBOX): Tally(accepted=1, S=1)}
    (claim,) = ledger.claim([letter.message_id], "claim-2")
    assert (claim.attempt, claim.tries, claim.expires_at) == (2, 0, START + 510)
    assert [channel for channel, field in claim.deliveries.items() if field.startswith("O")] == [PUSH]


def test_a_replayed_U_still_says_that_the_gateway_may_have_acted(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    letter = with_letter(ledger, FAILED, UNKNOWN)

    ledger.replay([letter])

    (claim,) = ledger.claim([letter.message_id], "claim-2")
    assert claim.deliveries == {PUSH: "O", INBOX: f"O|{START}|UNANSWERED|time-out"}


def test_a_replay_is_told_in_the_timeline(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    letter = with_letter(ledger, FAILED, learnt(S, channel=INBOX))
    ledger.advance(10)

    ledger.replay([letter], "run-7")

    outcome = ledger.find(letter.message_id)
    assert outcome.timeline == (TimelineEntry(1, START, START, "w1", ("PUSH=F:PROCESS_FAIL", "INBOX=S:")),)
    assert outcome.interventions == (Intervention(1, START + 10, InterventionKind.REPLAYED, "TRIES", "run-7", ""),)


def test_a_replayed_message_is_swept_and_delivered_like_any_other(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    letter = with_letter(ledger, FAILED, learnt(S, channel=INBOX))
    ledger.replay([letter])

    assert hinted(ledger.sweep()) == [letter.message_id]
    ledger.settle([final(claim) for claim in ledger.claim([letter.message_id], "claim-2")])

    state = ledger.state()
    assert state.tallies == {PLACE: Tally(accepted=1, S=1), ("shop", INBOX): Tally(accepted=1, S=1)}
    assert (state.due, state.payloads, list(state.retention)) == ({}, {}, [letter.message_id])


def test_a_replay_beyond_the_window_waits_in_the_backlog(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(window_bulk=2)
    for message in new_messages(3):
        ledger.accept([message])
        die(ledger, message)

    assert ledger.replay(ledger.letters().letters) == [SENT] * 3

    state = ledger.state()
    assert (len(state.due), [len(waiting) for waiting in state.backlogs.values()]) == (2, [1])
    assert len(state.window) == 2


def test_a_replay_waits_in_the_backlog_while_too_many_messages_wait_for_a_retry(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(waiting=1)
    letter = with_letter(ledger)
    ledger.accept([new_message("r1")])
    ledger.settle([retry(claim) for claim in ledger.claim([new_message("r1").message_id])])

    assert ledger.replay([letter]) == [SENT]

    assert list(ledger.state().backlogs.values()) == [(letter.message_id,)]


def test_a_letter_with_nothing_left_to_send_is_suppressed_and_final(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=50)
    ledger.accept([new_message("r0", channels=[INBOX], skipped=[PUSH])])
    die(ledger, both("r0"), learnt(S, channel=INBOX), cause="EXPIRED")
    letter = only(ledger)

    assert ledger.replay([letter]) == [SUPPRESSED]

    state = ledger.state()
    assert (state.due, state.dead, state.payloads) == ({}, {}, {})
    assert state.retention == {letter.message_id: START + 50}
    assert ledger.replay([letter]) == [SUPPRESSED]


def test_one_run_replays_a_letter_once_even_when_it_dies_again(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    letter = with_letter(ledger, FAILED, learnt(S, channel=INBOX))

    assert ledger.replay([letter, letter]) == [SENT, SENT]
    die(ledger, both("r0"))

    assert ledger.replay([letter]) == [SENT]
    assert only(ledger).message_id == letter.message_id
    assert ledger.replay([letter], "run-2") == [SENT]
    assert ledger.letters().letters == ()
    assert len(ledger.find(letter.message_id).interventions) == 2


def test_what_is_no_dead_letter_is_neither_replayed_nor_discarded(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    letter = with_letter(ledger, FAILED, learnt(S, channel=INBOX))
    ledger.replay([letter], "run-1")
    before = ledger.state()

    stranger = replace(letter, message_id="f" * 32)
    assert ledger.replay([letter, stranger], "run-2") == [REFUSED] * 2
    assert ledger.discard([letter, stranger], "run-3") == [Discarded.REFUSED] * 2

    assert ledger.state() == before


def test_a_requestId_that_was_forgotten_and_taken_in_another_lane_is_another_message(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=1)
    letter = with_letter(ledger, FAILED, learnt(S, channel=INBOX))
    ledger.discard([letter])
    ledger.advance(1)
    assert ledger.forget() == 1
    ledger.accept([both("r0")], lane=Lane.SINGLE)
    die(ledger, both("r0"), FAILED, learnt(S, channel=INBOX))

    assert ledger.replay([letter], "run-2") == [REFUSED]


def test_a_settlement_from_before_the_replay_changes_nothing(open_ledger: OpenLedger) -> None:
    ledger = open_ledger()
    ledger.accept([both("r0")])
    (claim,) = ledger.claim([both("r0").message_id])
    ledger.settle([dead(claim, FAILED, UNKNOWN)])
    ledger.replay(ledger.letters().letters)
    before = ledger.state()

    assert ledger.settle([final(claim)]) == [Settled.ALREADY]
    assert ledger.state() == before


def test_a_discarded_letter_keeps_its_outcome_for_the_retention_and_loses_its_payload(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=50)
    letter = with_letter(ledger, FAILED, UNKNOWN)
    before = ledger.state()
    ledger.advance(10)

    assert ledger.discard([letter], "run-1", "told the user | by mail") == [Discarded.DONE]

    state, outcome = ledger.state(), ledger.find(letter.message_id)
    assert (state.dead, state.dead_letters, state.payloads, state.due) == ({}, (), {}, {})
    assert state.retention == {letter.message_id: START + 60}
    assert state.tallies == before.tallies
    assert ([delivery.state for delivery in outcome.deliveries], outcome.dead_cause) == ([F, U], "")
    assert outcome.interventions == (
        Intervention(1, START + 10, InterventionKind.DISCARDED, "TRIES", "run-1", "told the user | by mail"),
    )


def test_a_discard_asked_twice_happens_once(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=50)
    letter = with_letter(ledger, FAILED, UNKNOWN)
    ledger.discard([letter])
    before = ledger.state()
    ledger.advance(10)

    assert ledger.discard([letter]) == [Discarded.DONE]
    assert ledger.state() == before


def test_a_discarded_letter_is_forgotten_and_counted_so(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(retention=50)
    ledger.discard([with_letter(ledger, FAILED, UNKNOWN)])
    ledger.advance(50)

    assert ledger.forget() == 1
    assert ledger.state().tallies == {
        PLACE: Tally(accepted=1, forgotten=1),
        ("shop", INBOX): Tally(accepted=1, forgotten=1),
    }


def test_many_letters_of_many_merchants_are_answered_in_the_order_given(open_ledger: OpenLedger) -> None:
    ledger = open_ledger(shards=4)
    apps = ("shop", "cafe")
    for app in apps:
        messages = new_messages(230, app)
        ledger.accept(messages, app)
        for shard in range(4):
            ledger.settle([dead(claim) for claim in ledger.claim(ids(messages), f"claim of {app}", shard)])
    letters = ledger.letters(most=1_000).letters
    ledger.replay(letters[::3], "run-1")

    assert len(letters) == 460
    assert ledger.replay(letters, "run-2", DAY) == [REFUSED if index % 3 == 0 else SENT for index in range(460)]
    assert ledger.state().tallies == {(app, PUSH): Tally(accepted=230, open=230) for app in apps}
