from dataclasses import replace

import pytest

from api_adapter.demo.verdict import Repeat, problems, total
from api_adapter.stack.sending import Reply
from tests.unit.api_adapter.demo.evidence import PLANNED, TAKEN, evidence, outcome, shown, tallies
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, DeliveryState
from worker.contract.outcomes import Tally

HEALTHY = next(notice for notice in PLANNED if notice.person.fault is None and len(notice.channels) == 2)
SILENT = next(notice for notice in PLANNED if notice.ends is ResultStatus.U)
NAME = f"{HEALTHY.request_id} (fault: no fault of its own)"


def test_a_demo_that_went_as_planned_has_no_problem() -> None:
    assert problems(evidence()) == []


def test_a_notice_that_was_not_taken_is_named() -> None:
    sound = evidence()
    refused = Reply("F", "PARAM_ILLEGAL", None)

    found = problems(replace(sound, replies={**sound.replies, HEALTHY.request_id: refused}))

    assert found == [f"{NAME} was not taken: F PARAM_ILLEGAL"]


def test_a_notice_that_was_never_answered_is_named() -> None:
    sound = evidence()
    replies = {request_id: reply for request_id, reply in sound.replies.items() if request_id != HEALTHY.request_id}

    assert problems(replace(sound, replies=replies)) == [f"{NAME} was not taken: U NO_REPLY"]


@pytest.mark.parametrize("status", ["F", "U", "OPEN", "NEVER_SEEN"])
def test_a_look_up_that_says_another_status_than_the_script_is_named(status: str) -> None:
    sound = evidence()

    found = problems(replace(sound, statuses={**sound.statuses, HEALTHY.request_id: status}))

    assert found == [f"{NAME}: the look-up says {status}, it must be S"]


def test_a_notice_that_fared_better_than_its_script_is_named_too() -> None:
    sound = evidence()

    [found] = problems(replace(sound, statuses={**sound.statuses, SILENT.request_id: "S"}))

    assert found.endswith("the look-up says S, it must be U")


def test_a_channel_that_ended_otherwise_is_named() -> None:
    sound = evidence()
    push, inbox = outcome(HEALTHY).deliveries
    partial = outcome(HEALTHY, deliveries=(push, replace(inbox, state=DeliveryState.F)))

    found = problems(replace(sound, outcomes={**sound.outcomes, HEALTHY.request_id: partial}))

    assert found == [f"{NAME}: the ledger has PUSH S, INBOX F, it must have S on PUSH, INBOX"]


def test_a_channel_that_was_skipped_without_the_user_s_wish_is_named() -> None:
    sound = evidence()
    push, inbox = outcome(HEALTHY).deliveries
    silenced = outcome(HEALTHY, deliveries=(replace(push, state=DeliveryState.SKIPPED), inbox))

    found = problems(replace(sound, outcomes={**sound.outcomes, HEALTHY.request_id: silenced}))

    assert found == [f"{NAME}: the ledger has INBOX S, it must have S on PUSH, INBOX"]


def test_a_notice_that_the_ledger_does_not_know_is_named() -> None:
    sound = evidence()
    outcomes = {request_id: one for request_id, one in sound.outcomes.items() if request_id != HEALTHY.request_id}

    found = problems(replace(sound, outcomes=outcomes))

    assert found == [f"{NAME}: the ledger has nothing, it must have S on PUSH, INBOX"]


def test_a_balance_that_is_off_is_told() -> None:
    push = replace(tallies()[Channel.PUSH], S=tallies()[Channel.PUSH].S - 1)

    found = problems(evidence(tallies={**tallies(), Channel.PUSH: push}))

    assert found == [f"PUSH: accepted is not S + F + U + open + forgotten: {push}"]


def test_open_deliveries_are_told() -> None:
    inbox = replace(tallies()[Channel.INBOX], S=tallies()[Channel.INBOX].S - 2, open=2)

    assert problems(evidence(tallies={**tallies(), Channel.INBOX: inbox})) == ["2 deliveries are still open"]


def test_deliveries_that_nobody_planned_are_told() -> None:
    inbox = tallies()[Channel.INBOX] + Tally(accepted=1, S=1)
    planned = total(tallies()).accepted

    found = problems(evidence(tallies={**tallies(), Channel.INBOX: inbox}))

    assert found == [f"the ledger accepted {planned + 1} deliveries of {planned}"]


def test_a_message_that_was_shown_twice_is_told() -> None:
    counts = {"deliveredKeys": shown(), "deliveredTwice": 1}

    assert problems(evidence(counts=counts)) == ["the simulator delivered 1 messages twice"]


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_success_that_no_user_saw_and_a_sight_without_success_are_told(difference: int) -> None:
    counts = {"deliveredKeys": shown() + difference, "deliveredTwice": 0}

    found = problems(evidence(counts=counts))

    assert found == [f"the simulator showed {shown() + difference} deliveries to users, it must be {shown()}"]


@pytest.mark.parametrize(
    "repeat",
    [
        Repeat("demo-00001", TAKEN, replace(TAKEN, message_id="m2"), 93, 93),
        Repeat("demo-00001", TAKEN, Reply("F", "REPEAT_REQ_INCONSISTENT", None), 93, 93),
        Repeat("demo-00001", TAKEN, TAKEN, 93, 95),
    ],
    ids=["another messageId", "refused", "taken again"],
)
def test_a_repeat_that_changed_something_is_told(repeat: Repeat) -> None:
    [found] = problems(evidence(repeat=repeat))

    assert found.startswith("demo-00001, sent again, was not answered as before: ")
