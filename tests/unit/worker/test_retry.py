from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.samples import INBOX, NOON, OPEN, PUSH, claim
from worker.contract.answers import Answer, AnswerKind
from worker.contract.messages import (
    Channel,
    Claim,
    DeadCause,
    DeliveryState,
    DeliveryUpdate,
    Settlement,
    Verdict,
    WaitReason,
)
from worker.retry import UNANSWERED, WAITING_CAP, RetryPolicy, call_size, condemn, decide, expire, open_channels

S, U, F, O = DeliveryState.S, DeliveryState.U, DeliveryState.F, DeliveryState.OPEN  # noqa: E741 - as records write it
FINAL, RETRY, DEAD = Verdict.FINAL, Verdict.RETRY, Verdict.DEAD
POLICY = RetryPolicy(max_tries=4, backoff_base=100, backoff_cap=10_000)

FRESH = OPEN
WAS_UNANSWERED = f"O|{NOON - 9}|UNANSWERED|the gateway did not answer in time"
WAS_THROTTLED = f"O|{NOON - 9}|HTTP_429|the gateway asked to wait"
EARLIER = {"fresh": FRESH, "unanswered": WAS_UNANSWERED, "throttled": WAS_THROTTLED}

ANSWERS = {kind: Answer(kind, "CODE", "text") for kind in AnswerKind} | {
    AnswerKind.DELIVERED: Answer(AnswerKind.DELIVERED),
    AnswerKind.UNANSWERED: Answer(AnswerKind.UNANSWERED, "HTTP_500", "text"),
    AnswerKind.NOT_SENT: Answer(AnswerKind.NOT_SENT),
}
GAVE_UP = ("PROCESS_FAIL", "gave up after the last try: CODE text")


@dataclass(frozen=True)
class End:
    """How a claim with one open channel is to end; `update` is state, code and message, or None for no update."""

    verdict: Verdict
    tries: int
    update: tuple[DeliveryState, str, str] | None
    cause: str = ""


DELIVERED = End(FINAL, 1, (S, "", ""))
FAILED = End(FINAL, 1, (F, "CODE", "text"))
TRY_AGAIN = End(RETRY, 1, (O, "CODE", "text"))
ASK_AGAIN = End(RETRY, 1, (O, UNANSWERED, "text"))
WAIT = End(RETRY, 0, (O, "CODE", "text"))
WAIT_SILENTLY = End(RETRY, 0, None)
HUSHED = End(Verdict.DEFER, 0, None, WaitReason.QUIET_HOURS)
MEND = End(DEAD, 0, (F, "CODE", "text"), DeadCause.UNDELIVERABLE)
MEND_UNKNOWN = End(DEAD, 0, (U, UNANSWERED, "text"), DeadCause.UNDELIVERABLE)
GIVE_UP = End(DEAD, 1, (F, *GAVE_UP), DeadCause.TRIES)
STAY_UNKNOWN = End(DEAD, 1, (U, UNANSWERED, "text"), DeadCause.UNANSWERED)

TRIES_LEFT = {
    (AnswerKind.DELIVERED, "fresh"): DELIVERED,
    (AnswerKind.DELIVERED, "unanswered"): DELIVERED,
    (AnswerKind.DELIVERED, "throttled"): DELIVERED,
    (AnswerKind.REFUSED, "fresh"): FAILED,
    (AnswerKind.REFUSED, "unanswered"): FAILED,
    (AnswerKind.REFUSED, "throttled"): FAILED,
    (AnswerKind.RETRYABLE, "fresh"): TRY_AGAIN,
    (AnswerKind.RETRYABLE, "unanswered"): TRY_AGAIN,
    (AnswerKind.RETRYABLE, "throttled"): TRY_AGAIN,
    (AnswerKind.UNANSWERED, "fresh"): ASK_AGAIN,
    (AnswerKind.UNANSWERED, "unanswered"): ASK_AGAIN,
    (AnswerKind.UNANSWERED, "throttled"): ASK_AGAIN,
    (AnswerKind.REJECTED, "fresh"): FAILED,
    (AnswerKind.REJECTED, "unanswered"): FAILED,
    (AnswerKind.REJECTED, "throttled"): FAILED,
    (AnswerKind.THROTTLED, "fresh"): WAIT,
    (AnswerKind.THROTTLED, "unanswered"): WAIT_SILENTLY,
    (AnswerKind.THROTTLED, "throttled"): WAIT,
    (AnswerKind.UNREACHABLE, "fresh"): WAIT,
    (AnswerKind.UNREACHABLE, "unanswered"): WAIT_SILENTLY,
    (AnswerKind.UNREACHABLE, "throttled"): WAIT,
    (AnswerKind.PACED, "fresh"): WAIT,
    (AnswerKind.PACED, "unanswered"): WAIT_SILENTLY,
    (AnswerKind.PACED, "throttled"): WAIT,
    (AnswerKind.QUIET, "fresh"): HUSHED,
    (AnswerKind.QUIET, "unanswered"): HUSHED,
    (AnswerKind.QUIET, "throttled"): HUSHED,
    (AnswerKind.UNDELIVERABLE, "fresh"): MEND,
    (AnswerKind.UNDELIVERABLE, "unanswered"): MEND_UNKNOWN,
    (AnswerKind.UNDELIVERABLE, "throttled"): MEND,
    (AnswerKind.NOT_SENT, "fresh"): WAIT_SILENTLY,
    (AnswerKind.NOT_SENT, "unanswered"): WAIT_SILENTLY,
    (AnswerKind.NOT_SENT, "throttled"): WAIT_SILENTLY,
}
EXHAUSTED = TRIES_LEFT | {
    (AnswerKind.RETRYABLE, "fresh"): GIVE_UP,
    (AnswerKind.RETRYABLE, "unanswered"): GIVE_UP,
    (AnswerKind.RETRYABLE, "throttled"): GIVE_UP,
    (AnswerKind.UNANSWERED, "fresh"): STAY_UNKNOWN,
    (AnswerKind.UNANSWERED, "unanswered"): STAY_UNKNOWN,
    (AnswerKind.UNANSWERED, "throttled"): STAY_UNKNOWN,
}


def decided(
    one: Claim, answers: Mapping[Channel, Answer], draw: float = 0.5, policy: RetryPolicy = POLICY
) -> Settlement:
    return decide(one, answers, policy, lambda: draw, "w1")


def end_of(settlement: Settlement) -> End:
    updates = [(update.state, update.code, update.message) for update in settlement.updates]
    assert len(updates) <= 1
    return End(settlement.verdict, settlement.tries, updates[0] if updates else None, settlement.cause)


def test_R68_every_kind_of_answer_has_its_place_in_the_tables() -> None:
    everything = {(kind, earlier) for kind in AnswerKind for earlier in EARLIER}

    assert set(TRIES_LEFT) == everything
    assert set(EXHAUSTED) == everything


@pytest.mark.parametrize(("kind", "earlier"), TRIES_LEFT)
@pytest.mark.parametrize("tries", [0, 2])
def test_R68_one_channel_with_tries_left(kind: AnswerKind, earlier: str, tries: int) -> None:
    one = claim(deliveries={PUSH: EARLIER[earlier]}, tries=tries)

    assert end_of(decided(one, {PUSH: ANSWERS[kind]})) == TRIES_LEFT[kind, earlier]


@pytest.mark.parametrize(("kind", "earlier"), EXHAUSTED)
@pytest.mark.parametrize("tries", [3, 4, 9])
def test_R68_one_channel_at_or_after_its_last_try(kind: AnswerKind, earlier: str, tries: int) -> None:
    one = claim(deliveries={PUSH: EARLIER[earlier]}, tries=tries)

    assert end_of(decided(one, {PUSH: ANSWERS[kind]})) == EXHAUSTED[kind, earlier]


def test_a_settlement_belongs_to_its_claim_and_names_the_worker() -> None:
    one = claim("0b" * 16, {PUSH: OPEN}, claim_id="c7", attempt=3)

    assert decided(one, {PUSH: ANSWERS[AnswerKind.DELIVERED]}) == Settlement(
        "0b" * 16,
        "c7",
        3,
        FINAL,
        (DeliveryUpdate(PUSH, S),),
        tries=1,
        worker="w1",
    )


@pytest.mark.parametrize("kind", [AnswerKind.REFUSED, AnswerKind.RETRYABLE, AnswerKind.THROTTLED])
def test_R68_an_answer_without_a_code_is_recorded_as_process_fail(kind: AnswerKind) -> None:
    (update,) = decided(claim(deliveries={PUSH: OPEN}), {PUSH: Answer(kind)}).updates

    assert update.code == "PROCESS_FAIL"


@pytest.mark.parametrize("kind", [AnswerKind.REFUSED, AnswerKind.RETRYABLE, AnswerKind.UNANSWERED])
@pytest.mark.parametrize("tries", [0, 3])
def test_R14_a_gateways_text_is_cut_to_what_result_message_holds(kind: AnswerKind, tries: int) -> None:
    (update,) = decided(claim(deliveries={PUSH: OPEN}, tries=tries), {PUSH: Answer(kind, "C", "收" * 300)}).updates

    assert len(update.message) == 256
    assert update.message.endswith("收…")


def test_R68_a_gateways_text_is_never_taken_for_our_own_code() -> None:
    one = claim(deliveries={PUSH: f"O|{NOON}|BUSY|try later|UNANSWERED|or not"})

    assert end_of(decided(one, {PUSH: ANSWERS[AnswerKind.THROTTLED]})) == WAIT
    assert end_of(expire(one, "w1")).update == (F, "EXPIRED", "not delivered before its deadline")


def test_a_channel_that_is_settled_stays_so_while_the_other_is_tried_again() -> None:
    settlement = decided(claim(), {PUSH: ANSWERS[AnswerKind.DELIVERED], INBOX: ANSWERS[AnswerKind.RETRYABLE]})

    assert settlement.verdict is RETRY
    assert settlement.tries == 1
    assert settlement.updates == (DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, O, "CODE", "text"))


def test_both_channels_of_one_claim_burn_one_try_together() -> None:
    settlement = decided(claim(), dict.fromkeys(Channel, ANSWERS[AnswerKind.RETRYABLE]))

    assert settlement.tries == 1


def test_a_message_whose_other_channel_was_not_sent_is_not_given_up() -> None:
    answers = {PUSH: ANSWERS[AnswerKind.RETRYABLE], INBOX: ANSWERS[AnswerKind.NOT_SENT]}

    settlement = decided(claim(tries=3), answers)

    assert (settlement.verdict, settlement.tries) == (RETRY, 1)


WAITS = [AnswerKind.THROTTLED, AnswerKind.UNREACHABLE, AnswerKind.PACED]


@pytest.mark.parametrize("kind", WAITS)
@pytest.mark.parametrize(
    ("earlier", "ends"),
    [
        (FRESH, DeliveryUpdate(INBOX, F, *GAVE_UP)),
        (WAS_UNANSWERED, DeliveryUpdate(INBOX, U, UNANSWERED, "the gateway's answer never came")),
    ],
    ids=["fresh", "unanswered"],
)
def test_a_channel_that_waits_for_its_gateway_ends_with_the_last_try_of_the_other(
    kind: AnswerKind, earlier: str, ends: DeliveryUpdate
) -> None:
    one = claim(tries=3, deliveries={PUSH: OPEN, INBOX: earlier})

    settlement = decided(one, {PUSH: ANSWERS[AnswerKind.UNANSWERED], INBOX: ANSWERS[kind]})

    assert (settlement.verdict, settlement.tries, settlement.cause) == (DEAD, 1, DeadCause.UNANSWERED)
    assert settlement.updates == (DeliveryUpdate(PUSH, U, UNANSWERED, "text"), ends)


@pytest.mark.parametrize("kind", WAITS)
def test_while_both_channels_wait_for_their_gateways_no_try_is_the_last(kind: AnswerKind) -> None:
    settlement = decided(claim(tries=4), dict.fromkeys(Channel, ANSWERS[kind]))

    assert (settlement.verdict, settlement.tries) == (RETRY, 0)


def test_giving_up_settles_each_channel_by_what_is_known_of_it() -> None:
    answers = {PUSH: ANSWERS[AnswerKind.UNANSWERED], INBOX: ANSWERS[AnswerKind.RETRYABLE]}

    settlement = decided(claim(tries=3), answers)

    assert settlement.cause == DeadCause.UNANSWERED
    assert settlement.updates == (DeliveryUpdate(PUSH, U, UNANSWERED, "text"), DeliveryUpdate(INBOX, F, *GAVE_UP))


def test_giving_up_one_channel_leaves_what_the_other_has() -> None:
    settlement = decided(claim(tries=3), {PUSH: ANSWERS[AnswerKind.DELIVERED], INBOX: ANSWERS[AnswerKind.RETRYABLE]})

    assert settlement.verdict is DEAD
    assert settlement.updates == (DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, F, *GAVE_UP))


def test_an_undeliverable_channel_ends_as_a_dead_letter_also_after_the_other_was_tried_again() -> None:
    undeliverable = ANSWERS[AnswerKind.UNDELIVERABLE]

    first = decided(claim(), {PUSH: undeliverable, INBOX: ANSWERS[AnswerKind.RETRYABLE]})
    last = decided(claim(), {PUSH: undeliverable, INBOX: ANSWERS[AnswerKind.DELIVERED]})

    assert first.verdict is RETRY
    assert first.updates == (DeliveryUpdate(INBOX, O, "CODE", "text"),)
    assert (last.verdict, last.cause) == (DEAD, DeadCause.UNDELIVERABLE)
    assert last.updates == (DeliveryUpdate(PUSH, F, "CODE", "text"), DeliveryUpdate(INBOX, S))


def test_open_channels_are_those_without_an_outcome() -> None:
    assert open_channels(claim(deliveries={PUSH: WAS_UNANSWERED, INBOX: f"S|{NOON}"})) == [PUSH]
    assert open_channels(claim(deliveries={PUSH: f"F|{NOON}|CODE|OPEN", INBOX: "K"})) == []
    assert open_channels(claim(deliveries={PUSH: f"U|{NOON}|UNANSWERED|", INBOX: OPEN})) == [INBOX]


def test_R43_an_expired_message_is_failed_or_unknown_by_channel() -> None:
    settlement = expire(claim(deliveries={PUSH: WAS_UNANSWERED, INBOX: WAS_THROTTLED}), "w1")

    assert (settlement.verdict, settlement.cause, settlement.tries) == (DEAD, DeadCause.EXPIRED, 0)
    assert settlement.updates == (
        DeliveryUpdate(PUSH, U, UNANSWERED, "the gateway's answer never came"),
        DeliveryUpdate(INBOX, F, "EXPIRED", "not delivered before its deadline"),
    )


def test_R43_expiry_leaves_settled_channels_alone() -> None:
    settlement = expire(claim(deliveries={PUSH: f"S|{NOON}", INBOX: OPEN}), "w1")

    assert [update.channel for update in settlement.updates] == [INBOX]


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(20, [20, 10, 5, 2, 1, 1]), (1, [1, 1]), (7, [7, 3, 1, 1])],
)
def test_R69_a_message_tried_before_travels_in_calls_half_as_large_each_time(most: int, sizes: list[int]) -> None:
    assert [call_size(most, tries) for tries in range(len(sizes))] == sizes


@given(st.integers(1, 20), st.integers(0, 200))
def test_R69_a_call_always_holds_at_least_one_message(most: int, tries: int) -> None:
    assert 1 <= call_size(most, tries) <= most


DRAWS = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(
    RetryPolicy,
    max_tries=st.integers(1, 100),
    backoff_base=st.integers(1, 10_000),
    backoff_cap=st.integers(1, 10_000_000),
)
KINDS = st.sampled_from(AnswerKind)
ANY_ANSWER = st.builds(
    Answer,
    KINDS,
    st.sampled_from(["", "CODE", "UNANSWERED_YET"]),
    st.text(max_size=300),
    st.none() | st.integers(0, 10_000_000),
)
ANY_FIELD = st.sampled_from([FRESH, WAS_UNANSWERED, WAS_THROTTLED])
ANY_CLAIM = st.builds(
    claim,
    deliveries=st.dictionaries(st.sampled_from(Channel), ANY_FIELD, min_size=1),
    attempt=st.integers(1, 1000),
    tries=st.integers(0, 120),
    expires_at=st.integers(NOON - 1000, NOON + 100_000_000),
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Claim, dict[Channel, Answer]]:
    one = draw(ANY_CLAIM)
    return one, {channel: draw(ANY_ANSWER) for channel in open_channels(one)}


def after(one: Claim, settlement: Settlement, now: int) -> Claim:
    """Return the message's next claim, as the ledger's record would give it."""
    fields = dict(one.deliveries)
    for update in settlement.updates:
        fields[update.channel] = f"{update.state}|{now}" + (f"|{update.code}|{update.message}" if update.code else "")
    return replace(one, deliveries=fields, tries=one.tries + settlement.tries, attempt=one.attempt + 1, claimed_at=now)


@given(POLICIES, st.integers(0, 200), DRAWS)
def test_back_off_is_drawn_from_nothing_up_to_a_bound_that_doubles(
    policy: RetryPolicy, tries: int, draw: float
) -> None:
    bound = min(policy.backoff_cap, policy.backoff_base * 2 ** max(0, min(tries - 1, 30)))

    assert policy.backoff(tries, lambda: 0.0) == 0
    assert 0 <= policy.backoff(tries, lambda: draw) <= bound * draw
    assert bound * 0.99 - 1 <= policy.backoff(tries, lambda: 0.999) <= bound


def test_back_off_doubles_with_each_try_up_to_its_cap() -> None:
    policy = RetryPolicy(backoff_base=500, backoff_cap=9_000)

    assert [policy.backoff(tries, lambda: 0.5) for tries in range(8)] == [250, 250, 500, 1000, 2000, 4000, 4500, 4500]


@given(POLICIES.filter(lambda policy: policy.backoff_base <= policy.backoff_cap), DRAWS)
def test_a_first_retry_is_never_later_than_the_base(policy: RetryPolicy, draw: float) -> None:
    assert policy.backoff(1, lambda: draw) <= policy.backoff_base


@pytest.mark.parametrize(("tries", "bound"), [(0, 100), (1, 200), (2, 400)])
@pytest.mark.parametrize("kind", [AnswerKind.RETRYABLE, AnswerKind.UNANSWERED])
def test_a_tried_message_waits_by_the_tries_it_had(kind: AnswerKind, tries: int, bound: int) -> None:
    settlement = decided(claim(deliveries={PUSH: OPEN}, tries=tries), {PUSH: ANSWERS[kind]}, draw=0.5)

    assert settlement.delay == bound // 2


@pytest.mark.parametrize("kind", [AnswerKind.THROTTLED, AnswerKind.UNREACHABLE, AnswerKind.PACED])
def test_R69_what_a_gateway_asked_to_wait_is_waited_and_then_spread(kind: AnswerKind) -> None:
    answers = {PUSH: Answer(kind, "HTTP_429", "", 7_000)}

    assert decided(claim(deliveries={PUSH: OPEN}), answers, draw=0.0).delay == 7_000
    assert decided(claim(deliveries={PUSH: OPEN}), answers, draw=0.5).delay == 7_050


@given(st.integers(1, 10_000), DRAWS)
def test_a_message_that_waits_for_its_gateway_is_tried_within_seconds(attempt: int, draw: float) -> None:
    one = claim(deliveries={PUSH: OPEN}, attempt=attempt)

    assert decided(one, {PUSH: ANSWERS[AnswerKind.UNREACHABLE]}, draw).delay < WAITING_CAP


@pytest.mark.parametrize(("attempt", "delay"), [(1, 50), (2, 100), (3, 200), (20, WAITING_CAP // 2)])
def test_a_message_that_waits_for_its_gateway_waits_longer_with_each_attempt(attempt: int, delay: int) -> None:
    one = claim(deliveries={PUSH: OPEN}, attempt=attempt)

    assert decided(one, {PUSH: ANSWERS[AnswerKind.THROTTLED]}, draw=0.5).delay == delay


def test_a_message_that_was_not_sent_is_due_at_once() -> None:
    assert decided(claim(deliveries={PUSH: OPEN}), {PUSH: ANSWERS[AnswerKind.NOT_SENT]}, draw=0.9).delay == 0


def test_a_message_waits_for_the_channel_that_waits_longest() -> None:
    answers = {PUSH: ANSWERS[AnswerKind.RETRYABLE], INBOX: Answer(AnswerKind.THROTTLED, "HTTP_503", "", 60_000)}

    assert decided(claim(), answers, draw=0.0).delay == 60_000
    assert decided(claim(), dict(reversed(answers.items())), draw=0.0).delay == 60_000


@given(situations(), POLICIES, DRAWS)
def test_a_message_is_never_due_after_its_deadline(
    situation: tuple[Claim, dict[Channel, Answer]],
    policy: RetryPolicy,
    draw: float,
) -> None:
    one, answers = situation

    settlement = decided(one, answers, draw, policy)

    assert 0 <= settlement.delay <= max(0, one.expires_at - one.claimed_at)


@given(situations(), POLICIES, DRAWS)
def test_no_retry_after_the_last_try_unless_the_message_waits_for_its_gateway(
    situation: tuple[Claim, dict[Channel, Answer]],
    policy: RetryPolicy,
    draw: float,
) -> None:
    one, answers = situation

    settlement = decided(one, answers, draw, policy)

    waits = {AnswerKind.THROTTLED, AnswerKind.UNREACHABLE, AnswerKind.PACED, AnswerKind.NOT_SENT} & {
        answer.kind for answer in answers.values()
    }
    if settlement.verdict is RETRY and one.tries + settlement.tries >= policy.max_tries:
        assert waits


@given(situations(), POLICIES)
def test_a_claim_burns_a_try_exactly_when_a_gateway_answered_or_timed_out(
    situation: tuple[Claim, dict[Channel, Answer]],
    policy: RetryPolicy,
) -> None:
    one, answers = situation
    not_asked = {
        AnswerKind.THROTTLED,
        AnswerKind.UNREACHABLE,
        AnswerKind.PACED,
        AnswerKind.QUIET,
        AnswerKind.NOT_SENT,
        AnswerKind.UNDELIVERABLE,
    }

    asked = any(answer.kind not in not_asked for answer in answers.values())

    assert decided(one, answers, policy=policy).tries == int(asked)


@given(situations(), POLICIES)
def test_a_message_comes_back_exactly_when_a_channel_is_still_open(
    situation: tuple[Claim, dict[Channel, Answer]],
    policy: RetryPolicy,
) -> None:
    one, answers = situation

    settlement = decided(one, answers, policy=policy)

    assert (settlement.verdict in COMES_BACK) == bool(open_channels(after(one, settlement, NOON)))
    assert (settlement.verdict in (DEAD, Verdict.DEFER)) == bool(settlement.cause)


COMES_BACK = (RETRY, Verdict.DEFER)
GATEWAY_KNOWS = {AnswerKind.DELIVERED, AnswerKind.REFUSED, AnswerKind.RETRYABLE, AnswerKind.REJECTED}


@given(st.data(), POLICIES)
def test_R68_through_any_life_an_outcome_stays_and_an_answer_that_never_came_is_never_called_failed(
    data: st.DataObject,
    policy: RetryPolicy,
) -> None:
    one, unknown = claim(), set[Channel]()
    settlement = None
    for _ in range(data.draw(st.integers(1, 6))):
        answers = {channel: data.draw(ANY_ANSWER) for channel in open_channels(one)}
        settlement = decided(one, answers, policy=policy)
        unknown |= {channel for channel, answer in answers.items() if answer.kind is AnswerKind.UNANSWERED}
        unknown -= {channel for channel, answer in answers.items() if answer.kind in GATEWAY_KNOWS}
        settled = {channel: field for channel, field in one.deliveries.items() if not field.startswith(O)}
        one = after(one, settlement, NOON)
        assert settled.items() <= one.deliveries.items()
        if settlement.verdict not in COMES_BACK:
            break
    else:
        settlement = expire(one, "w1")
        one = after(one, settlement, NOON)

    assert {channel for channel, field in one.deliveries.items() if field.startswith(U)} == unknown
    assert not open_channels(one)


QUIET = Answer(AnswerKind.QUIET, retry_after=90_000)


def test_a_channel_without_a_try_left_is_not_tried_again_before_the_other_ones_quiet_hours_are_over() -> None:
    one = claim(tries=RetryPolicy().max_tries - 1)

    settlement = decided(one, {PUSH: QUIET, INBOX: Answer(AnswerKind.RETRYABLE, "BUSY", "later")})

    assert (settlement.verdict, settlement.delay, settlement.tries) == (Verdict.DEFER, 90_000, 1)


def test_what_is_left_waits_for_the_end_of_quiet_hours_once_the_other_channel_is_done() -> None:
    settlement = decided(claim(), {PUSH: QUIET, INBOX: Answer(AnswerKind.DELIVERED)})

    assert (settlement.verdict, settlement.delay, settlement.cause) == (Verdict.DEFER, 90_000, "QUIET_HOURS")
    assert settlement.updates == (DeliveryUpdate(INBOX, S),)
    assert settlement.tries == 1


def test_the_other_channel_is_tried_again_at_its_own_time() -> None:
    one = claim()
    settlement = decided(one, {PUSH: QUIET, INBOX: Answer(AnswerKind.RETRYABLE, "BUSY", "later")})

    assert settlement.verdict is RETRY
    assert settlement.delay < 90_000
    assert [update.channel for update in settlement.updates] == [INBOX]


def test_a_channel_to_mend_stays_open_beside_one_that_waits_for_the_morning() -> None:
    settlement = decided(claim(), {PUSH: QUIET, INBOX: Answer(AnswerKind.UNDELIVERABLE, "CODE", "text")})

    assert (settlement.verdict, settlement.updates) == (Verdict.DEFER, ())


def test_poison_is_not_known_where_it_was_open_and_keeps_what_is_settled() -> None:
    settlement = condemn(replace(claim(deliveries={PUSH: f"S|{NOON}", INBOX: WAS_THROTTLED}), lone=3), "w1")

    text = "workers died 3 times while they held it and nothing else"
    assert settlement.updates == (DeliveryUpdate(INBOX, U, UNANSWERED, text),)
    assert (settlement.verdict, settlement.cause, settlement.tries) == (DEAD, DeadCause.POISON, 0)
