"""Which messages miss a gateway's answer, and since when: open ones, and dead letters that are U (R73)."""

from tests.ledger_driver import (
    START,
    LedgerDriver,
    OpenLedger,
    dead,
    final,
    ids,
    learnt,
    new_message,
    retry,
)
from worker.contract.messages import Channel, DeliveryState, DeliveryUpdate, HintKind

F, OPEN, S, U = DeliveryState.F, DeliveryState.OPEN, DeliveryState.S, DeliveryState.U
PUSH, INBOX = Channel.PUSH, Channel.INBOX
MESSAGE = new_message("r1", channels=tuple(Channel))
ID = MESSAGE.message_id
SILENT = learnt(OPEN, "UNANSWERED", "time-out")
BUSY = learnt(OPEN, "BUSY", "later")


def with_message(open_ledger: OpenLedger) -> LedgerDriver:
    ledger = open_ledger(lease=6_000)
    ledger.accept([MESSAGE])
    return ledger


def try_once(ledger: LedgerDriver, *updates: DeliveryUpdate) -> None:
    """Let 10 ms pass and a try end with what it learnt."""
    ledger.advance(10)
    ledger.settle([retry(claim, 0, *updates) for claim in ledger.claim([ID], f"claim at {ledger.now}")])


def die(ledger: LedgerDriver, *updates: DeliveryUpdate) -> None:
    ledger.advance(10)
    ledger.settle([dead(claim, *updates) for claim in ledger.claim([ID], f"claim at {ledger.now}")])


def test_a_message_misses_an_answer_since_the_first_time_out(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)

    assert ledger.state().unanswered == {}
    try_once(ledger, SILENT)
    try_once(ledger, SILENT)
    assert ledger.state().unanswered == {ID: START + 10}


def test_a_try_that_learns_nothing_changes_nothing_about_it(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT)

    try_once(ledger, learnt(S, channel=INBOX))

    assert ledger.state().unanswered == {ID: START + 10}


def test_an_answer_ends_it_though_the_channel_stays_open(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT)

    try_once(ledger, BUSY)

    assert ledger.state().unanswered == {}


def test_one_channel_that_misses_an_answer_is_enough(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT, learnt(OPEN, "UNANSWERED", "time-out", INBOX))

    try_once(ledger, learnt(S))

    assert ledger.state().unanswered == {ID: START + 10}


def test_it_ends_with_the_message(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT)
    ledger.advance(10)

    ledger.settle([final(claim, learnt(S), learnt(S, channel=INBOX)) for claim in ledger.claim([ID], "claim-2")])

    assert (ledger.state().unanswered, ledger.state().unknown) == ({}, {})


def test_a_crash_leaves_an_answer_missing_since_the_lease_was_found_over(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    ledger.claim([ID])
    ledger.advance(6_000)

    ledger.claim([ID], "claim-2", kind=HintKind.SUSPECTS)

    assert ledger.state().unanswered == {ID: START + 6_000}


def test_a_crash_of_what_missed_an_answer_before_changes_nothing_about_it(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT)
    ledger.claim([ID])
    ledger.advance(6_000)

    ledger.claim([ID], "claim-2", kind=HintKind.SUSPECTS)

    assert ledger.state().unanswered == {ID: START + 10}


def test_a_dead_letter_that_is_U_is_unknown_since_its_answer_was_first_missing(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT)

    die(ledger, learnt(U, "UNANSWERED", "time-out"), learnt(S, channel=INBOX))

    assert (ledger.state().unanswered, ledger.state().unknown) == ({}, {ID: START + 10})


def test_a_dead_letter_whose_last_try_alone_got_no_answer_is_unknown_since_then(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)

    die(ledger, learnt(U, "UNANSWERED", "time-out"), learnt(F, "BAD", "no", INBOX))

    assert ledger.state().unknown == {ID: START + 10}


def test_a_dead_letter_without_U_is_not_unknown(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)

    die(ledger, learnt(F, "BAD", "no"), learnt(S, channel=INBOX))

    assert ledger.state().unknown == {}


def test_a_replayed_U_misses_its_answer_since_before_it_died(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    try_once(ledger, SILENT)
    die(ledger, learnt(U, "UNANSWERED", "time-out"), learnt(S, channel=INBOX))
    ledger.advance(50)

    for _ in range(2):
        ledger.replay(ledger.letters().letters)

    assert (ledger.state().unanswered, ledger.state().unknown) == ({ID: START + 10}, {})


def test_a_replayed_F_misses_no_answer(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    die(ledger, learnt(F, "BAD", "no"), learnt(S, channel=INBOX))

    ledger.replay(ledger.letters().letters)

    assert (ledger.state().unanswered, ledger.state().unknown) == ({}, {})


def test_nobody_waits_for_the_answer_of_a_discarded_letter(open_ledger: OpenLedger) -> None:
    ledger = with_message(open_ledger)
    die(ledger, learnt(U, "UNANSWERED", "time-out"), learnt(S, channel=INBOX))

    ledger.discard(ledger.letters().letters)

    assert (ledger.state().unanswered, ledger.state().unknown) == ({}, {})
    assert list(ledger.state().records) == ids([MESSAGE])
