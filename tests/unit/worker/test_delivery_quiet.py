"""Quiet hours on the way out: a PUSH waits for their end, an INBOX does not (issue 5)."""

from dataclasses import replace

from tests.back_office import BackOffice, notice
from tests.samples import INBOX, PUSH, payload
from worker.contract.messages import DeliveryState, WaitReason
from worker.contract.outcomes import MessageOutcome
from worker.contract.payload import Payload, Quiet
from worker.contract.quiet_hours import QuietHours

NIGHT = Quiet(QuietHours.parse("22:00-07:00"), "UTC")
"""The ledger's time is 2023-11-14T22:13:20Z."""
MORNING = 1_700_031_600_000
S, O = DeliveryState.S, DeliveryState.OPEN  # noqa: E741 - as records write it


def says(quiet: Quiet | None) -> Payload:
    return payload(quiet=quiet)


def states(outcome: MessageOutcome) -> list[DeliveryState]:
    return [delivery.state for delivery in outcome.deliveries]


def test_an_inbox_goes_at_once_and_the_push_in_the_morning() -> None:
    office = BackOffice()

    (outcome,) = office.deliver(notice(says=says(NIGHT)))

    assert states(outcome) == [O, S]
    assert (outcome.next_at, outcome.waits_for) == (MORNING, WaitReason.QUIET_HOURS)
    assert [message.channel for call in office.gateway.calls for message in call.messages] == [INBOX]
    record = office.ledger.records[outcome.message_id]
    assert (record.scheduled_at, record.occupies_window, record.waits) == (MORNING, False, False)


def test_a_push_alone_asks_no_gateway_and_burns_no_try() -> None:
    office = BackOffice()

    (outcome,) = office.deliver(notice(says=says(NIGHT), channels=[PUSH]))

    assert office.gateway.calls == []
    assert (outcome.tries, outcome.next_at) == (0, MORNING)


def test_in_the_morning_it_is_sent() -> None:
    office, message = BackOffice(), notice(says=says(NIGHT), channels=[PUSH])
    office.deliver(message)
    office.ledger.now = MORNING
    office.sweeper = office._sweeper(1)

    async def play(again: BackOffice) -> None:
        again.ledger.records[message.message_id].scheduled_at = None
        again.ledger.records[message.message_id].due_at = MORNING
        await again.take(message)

    later = BackOffice(ledger=office.ledger)
    later.open(play)

    assert states(later.outcome(message)) == [S]


def test_who_is_awake_gets_both_at_once() -> None:
    awake = Quiet(NIGHT.hours, "America/New_York")

    (outcome,) = BackOffice().deliver(notice(says=says(awake)))

    assert states(outcome) == [S, S]


def test_quiet_hours_wait_no_longer_than_the_deadline() -> None:
    office, message = BackOffice(), notice(says=says(NIGHT), channels=[PUSH])
    short = replace(message, deliver_within=60_000)

    (outcome,) = office.deliver(short)

    assert outcome.next_at == outcome.expires_at
