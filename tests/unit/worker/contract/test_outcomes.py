from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import INBOX, NOON, PUSH
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, DeliveryState, Lane
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome, Reason, Tally, WholeOutcome

S, U, F = ResultStatus.S, ResultStatus.U, ResultStatus.F

STATES = {
    "open": (DeliveryState.OPEN, ""),
    "throttled": (DeliveryState.OPEN, "HTTP_429"),
    "unanswered": (DeliveryState.OPEN, "UNANSWERED"),
    "delivered": (DeliveryState.S, ""),
    "unknown": (DeliveryState.U, "UNANSWERED"),
    "failed": (DeliveryState.F, "USER_NOT_EXIST"),
    "skipped": (DeliveryState.SKIPPED, ""),
}

DEADLINE = NOON + 1
IS_OPEN = WholeOutcome(U, Reason.OPEN, partial=False, settled_by=DEADLINE)
IS_UNANSWERED = WholeOutcome(U, Reason.UNANSWERED, partial=False, settled_by=DEADLINE)
IS_UNKNOWN = WholeOutcome(U, Reason.UNANSWERED, partial=False, settled_by=None)
IS_DELIVERED = WholeOutcome(S, None, partial=False, settled_by=None)
IS_FAILED = WholeOutcome(F, None, partial=False, settled_by=None)
IS_PARTIAL = WholeOutcome(F, None, partial=True, settled_by=None)

ALONE = {
    "open": IS_OPEN,
    "throttled": IS_OPEN,
    "unanswered": IS_UNANSWERED,
    "delivered": IS_DELIVERED,
    "unknown": IS_UNKNOWN,
    "failed": IS_FAILED,
}
TOGETHER = {
    ("open", "open"): IS_OPEN,
    ("open", "throttled"): IS_OPEN,
    ("open", "unanswered"): IS_UNANSWERED,
    ("open", "delivered"): IS_OPEN,
    ("open", "unknown"): IS_UNANSWERED,
    ("open", "failed"): IS_OPEN,
    ("throttled", "throttled"): IS_OPEN,
    ("throttled", "unanswered"): IS_UNANSWERED,
    ("throttled", "delivered"): IS_OPEN,
    ("throttled", "unknown"): IS_UNANSWERED,
    ("throttled", "failed"): IS_OPEN,
    ("unanswered", "unanswered"): IS_UNANSWERED,
    ("unanswered", "delivered"): IS_UNANSWERED,
    ("unanswered", "unknown"): IS_UNANSWERED,
    ("unanswered", "failed"): IS_UNANSWERED,
    ("delivered", "delivered"): IS_DELIVERED,
    ("delivered", "unknown"): IS_UNKNOWN,
    ("delivered", "failed"): IS_PARTIAL,
    ("unknown", "unknown"): IS_UNKNOWN,
    ("unknown", "failed"): IS_UNKNOWN,
    ("failed", "failed"): IS_FAILED,
}


def outcome(name: str, channel: Channel = PUSH, at: int | None = NOON) -> DeliveryOutcome:
    state, code = STATES[name]
    return DeliveryOutcome(channel, state, code, "", at)


def message(*deliveries: DeliveryOutcome) -> MessageOutcome:
    return MessageOutcome(
        message_id="0a" * 16,
        app_id="app",
        request_id="1",
        client_id="merchant",
        lane=Lane.SINGLE,
        template_code="PAY",
        template_version=1,
        language="en-US",
        taken_at=NOON,
        expires_at=DEADLINE,
        deliveries=deliveries,
        attempts=1,
        tries=1,
        crashes=0,
        next_at=None,
        dead_cause="",
        timeline=(),
    )


@pytest.mark.parametrize("name", ALONE)
def test_R73_the_outcome_of_one_channel_is_the_whole(name: str) -> None:
    assert WholeOutcome.of([outcome(name)], DEADLINE) == ALONE[name]


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_R73_two_channels_are_judged_together_in_either_order(one: str, other: str) -> None:
    push, inbox = outcome(one), outcome(other, INBOX)

    assert WholeOutcome.of([push, inbox], DEADLINE) == TOGETHER[one, other]
    assert WholeOutcome.of([inbox, push], DEADLINE) == TOGETHER[one, other]


def test_R73_no_combination_of_two_channels_is_left_untested() -> None:
    judged = {frozenset(pair) for pair in TOGETHER}

    assert judged == {frozenset(pair) for pair in product(ALONE, repeat=2)}


@pytest.mark.parametrize("name", ALONE)
def test_R73_a_skipped_channel_counts_for_nothing(name: str) -> None:
    assert WholeOutcome.of([outcome("skipped"), outcome(name, INBOX)], DEADLINE) == ALONE[name]
    assert WholeOutcome.of([outcome(name), outcome("skipped", INBOX)], DEADLINE) == ALONE[name]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("open", U, Reason.OPEN),
        ("throttled", U, Reason.OPEN),
        ("unanswered", U, Reason.UNANSWERED),
        ("delivered", S, None),
        ("unknown", U, Reason.UNANSWERED),
        ("failed", F, None),
        ("skipped", None, None),
    ],
)
def test_R73_a_channel_has_a_status_and_a_reason_only_for_U(
    name: str,
    status: ResultStatus | None,
    reason: Reason | None,
) -> None:
    found = outcome(name)

    assert (found.status, found.reason) == (status, reason)


def test_R70_a_message_is_judged_by_all_its_channels() -> None:
    assert message(outcome("delivered"), outcome("failed", INBOX)).whole == IS_PARTIAL


def test_R70_a_message_is_settled_when_its_last_channel_is() -> None:
    assert message(outcome("delivered", at=NOON + 5), outcome("failed", INBOX, NOON + 9)).settled_at == NOON + 9


@pytest.mark.parametrize("name", ["open", "throttled", "unanswered"])
def test_R70_a_message_with_an_open_channel_is_not_settled(name: str) -> None:
    assert message(outcome("delivered"), outcome(name, INBOX)).settled_at is None


def test_R70_a_skipped_channel_has_no_time_and_delays_nothing() -> None:
    assert message(outcome("skipped", at=None), outcome("delivered", INBOX, NOON)).settled_at == NOON


NUMBERS = st.integers(0, 10**9)
TALLIES = st.tuples(*[NUMBERS] * 5).map(lambda numbers: Tally(sum(numbers), *numbers))


@given(TALLIES, TALLIES)
def test_sums_of_balanced_tallies_balance(one: Tally, other: Tally) -> None:
    total = one + other

    assert total.balanced
    assert total.accepted == one.accepted + other.accepted


@pytest.mark.parametrize("field", ["S", "F", "U", "open", "forgotten"])
def test_a_delivery_that_is_counted_but_was_never_accepted_unbalances_a_tally(field: str) -> None:
    assert not Tally(**{field: 1}).balanced
    assert Tally(accepted=1, **{field: 1}).balanced
    assert Tally(accepted=1, **{field: 1}) + Tally() == Tally(accepted=1, **{field: 1})
