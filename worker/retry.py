"""From what the gateways said to what happens next: the one place where answers become outcomes. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from worker.contract.answers import Answer, AnswerKind
from worker.contract.codes import ResultCode, shorten
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

UNANSWERED = "UNANSWERED"
"""Code of an open or U channel whose gateway's answer never came (R73)."""
WAITING_CAP = 5_000
"""Longest wait in ms, beyond what a gateway asked for, of a message that waits for its gateway."""

_DELIVERED = {channel: DeliveryUpdate(channel, DeliveryState.S) for channel in Channel}
_BURNS_A_TRY = frozenset(
    {
        AnswerKind.DELIVERED,
        AnswerKind.REFUSED,
        AnswerKind.RETRYABLE,
        AnswerKind.UNANSWERED,
        AnswerKind.REJECTED,
    },
)
_WAITS_FOR_GATEWAY = frozenset(
    {AnswerKind.THROTTLED, AnswerKind.UNREACHABLE, AnswerKind.PACED, AnswerKind.NOT_SENT},
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a message is tried again; durations in milliseconds."""

    max_tries: int = 8
    backoff_base: int = 500
    backoff_cap: int = 300_000

    def backoff(self, tries: int, draw: Callable[[], float]) -> int:
        """Return a full-jitter delay after `tries` tries: uniform up to a bound that doubles. `draw` is in [0, 1)."""
        bound = min(self.backoff_cap, self.backoff_base * 2 ** min(max(tries - 1, 0), 30))
        return int(bound * draw())


def call_size(most: int, tries: int) -> int:
    """Return how many messages a call may hold for one that was tried before: halved with each try, then alone."""
    return max(1, most >> tries)


def expire(claim: Claim, worker: str) -> Settlement:
    """Return the end of a message that is past its deadline: U where an answer never came, else F EXPIRED (R43)."""
    updates = tuple(
        _never_answered(channel)
        if was_unanswered(claim, channel)
        else DeliveryUpdate(channel, DeliveryState.F, ResultCode.EXPIRED, "not delivered before its deadline")
        for channel in open_channels(claim)
    )
    return _settlement(claim, Verdict.DEAD, updates, cause=DeadCause.EXPIRED, worker=worker)


def condemn(claim: Claim, worker: str) -> Settlement:
    """Return the end of poison: U for each open channel, as nobody can say what was sent before its workers died."""
    message = f"workers died {claim.lone} times while they held it and nothing else"
    updates = tuple(DeliveryUpdate(channel, DeliveryState.U, UNANSWERED, message) for channel in open_channels(claim))
    return _settlement(claim, Verdict.DEAD, updates, cause=DeadCause.POISON, worker=worker)


def open_channels(claim: Claim) -> list[Channel]:
    """Return the channels that still have to be delivered."""
    return [channel for channel, field in claim.deliveries.items() if field.startswith(DeliveryState.OPEN)]


def was_unanswered(claim: Claim, channel: Channel) -> bool:
    """Say whether an earlier call for a channel may have been acted upon, and nobody knows."""
    return claim.deliveries[channel].split("|", 3)[2:3] == [UNANSWERED]


def decide(
    claim: Claim,
    answers: Mapping[Channel, Answer],
    policy: RetryPolicy,
    draw: Callable[[], float],
    worker: str,
) -> Settlement:
    """Return how a claim ends, given the answer of each channel that was open."""
    if all(answer.kind is AnswerKind.DELIVERED for answer in answers.values()):
        updates = tuple([_DELIVERED[channel] for channel in answers])
        return _settlement(claim, Verdict.FINAL, updates, tries=min(1, len(updates)), worker=worker)
    burnt = int(any(answer.kind in _BURNS_A_TRY for answer in answers.values()))
    open_still = [answer for answer in answers.values() if _is_open(answer)]
    again = claim.tries + burnt < policy.max_tries or _may_wait_on(open_still, burnt)
    quiet = [answer for answer in open_still if answer.kind is AnswerKind.QUIET]
    if quiet and (len(quiet) == len(open_still) or not again):
        # A channel that has used its tries up has one more when the other one is tried: they end together.
        return _deferred(claim, answers, burnt, worker)
    if open_still and again:
        # An undeliverable channel stays open beside one that is tried again: it ends with it, as a dead letter to mend.
        known = {name: answer for name, answer in answers.items() if answer.kind is not AnswerKind.UNDELIVERABLE}
        updates = _updates(claim, known)
        delay = min(_delay(claim, open_still, policy, draw), max(0, claim.expires_at - claim.claimed_at))
        return _settlement(claim, Verdict.RETRY, updates, tries=burnt, delay=delay, worker=worker)
    if open_still:
        updates = _ends(claim, answers)
        return _settlement(claim, Verdict.DEAD, updates, tries=burnt, cause=_cause(updates), worker=worker)
    updates = _updates(claim, answers)
    if any(answer.kind is AnswerKind.UNDELIVERABLE for answer in answers.values()):
        return _settlement(claim, Verdict.DEAD, updates, tries=burnt, cause=DeadCause.UNDELIVERABLE, worker=worker)
    return _settlement(claim, Verdict.FINAL, updates, tries=burnt, worker=worker)


def _deferred(claim: Claim, answers: Mapping[Channel, Answer], burnt: int, worker: str) -> Settlement:
    """Return the end of a claim of which nothing is left to do until the user's quiet hours are over."""
    # An undeliverable channel stays open beside it: it ends with it, as a dead letter to mend.
    known = {name: answer for name, answer in answers.items() if answer.kind is not AnswerKind.UNDELIVERABLE}
    delay = max(answer.retry_after or 0 for answer in answers.values() if answer.kind is AnswerKind.QUIET)
    delay = min(delay, max(0, claim.expires_at - claim.claimed_at))
    updates = _updates(claim, known)
    return _settlement(
        claim, Verdict.DEFER, updates, tries=burnt, delay=delay, cause=WaitReason.QUIET_HOURS, worker=worker
    )


def _settlement(  # noqa: PLR0913 - a settlement's own fields
    claim: Claim,
    verdict: Verdict,
    updates: tuple[DeliveryUpdate, ...],
    *,
    worker: str,
    tries: int = 0,
    delay: int = 0,
    cause: str = "",
) -> Settlement:
    return Settlement(claim.message_id, claim.claim_id, claim.attempt, verdict, updates, tries, delay, cause, worker)


def _is_open(answer: Answer) -> bool:
    return _state(answer) is DeliveryState.OPEN


def _state(answer: Answer) -> DeliveryState:
    match answer.kind:
        case AnswerKind.DELIVERED:
            return DeliveryState.S
        case AnswerKind.REFUSED | AnswerKind.REJECTED | AnswerKind.UNDELIVERABLE:
            return DeliveryState.F
        case (
            AnswerKind.RETRYABLE
            | AnswerKind.UNANSWERED
            | AnswerKind.THROTTLED
            | AnswerKind.UNREACHABLE
            | AnswerKind.PACED
            | AnswerKind.QUIET
            | AnswerKind.NOT_SENT
        ):
            return DeliveryState.OPEN
        case _:
            assert_never(answer.kind)


def _updates(claim: Claim, answers: Mapping[Channel, Answer]) -> tuple[DeliveryUpdate, ...]:
    updates = (_update(claim, channel, answer) for channel, answer in answers.items())
    return tuple(update for update in updates if update is not None)


def _update(claim: Claim, channel: Channel, answer: Answer) -> DeliveryUpdate | None:
    state = _state(answer)
    if state is DeliveryState.S:
        return DeliveryUpdate(channel, state)
    if answer.kind is AnswerKind.UNANSWERED:
        return DeliveryUpdate(channel, state, UNANSWERED, shorten(answer.message))
    if answer.kind in (AnswerKind.NOT_SENT, AnswerKind.QUIET):
        return None
    if was_unanswered(claim, channel):
        # An earlier call may have been acted upon: what is said now without asking the gateway can't unsay that.
        if answer.kind in _WAITS_FOR_GATEWAY:
            return None
        if answer.kind is AnswerKind.UNDELIVERABLE:
            return DeliveryUpdate(channel, DeliveryState.U, UNANSWERED, shorten(answer.message))
    return DeliveryUpdate(channel, state, answer.code or ResultCode.PROCESS_FAIL, shorten(answer.message))


def _may_wait_on(open_still: Sequence[Answer], burnt: int) -> bool:
    """Say whether a message may be claimed again though its tries are used up.

    What only waits for its gateway burns no try, so it may; not where the other channel was tried meanwhile, or a
    gateway that never answers the one and never lets the other in would be asked for ever.
    """
    waits = [answer for answer in open_still if answer.kind in _WAITS_FOR_GATEWAY]
    return bool(waits) and (not burnt or any(answer.kind is AnswerKind.NOT_SENT for answer in waits))


def _ends(claim: Claim, answers: Mapping[Channel, Answer]) -> tuple[DeliveryUpdate, ...]:
    """Return the end of every channel that is open: U where nobody knows what became of an earlier call."""
    ends = {update.channel: _given_up(update) for update in _updates(claim, answers)}
    for channel, answer in answers.items():
        if channel not in ends and _is_open(answer):
            ends[channel] = _never_answered(channel)
    return tuple(ends.values())


def _never_answered(channel: Channel) -> DeliveryUpdate:
    return DeliveryUpdate(channel, DeliveryState.U, UNANSWERED, "the gateway's answer never came")


def _given_up(update: DeliveryUpdate) -> DeliveryUpdate:
    if update.state is not DeliveryState.OPEN:
        return update
    if update.code == UNANSWERED:
        return DeliveryUpdate(update.channel, DeliveryState.U, UNANSWERED, update.message)
    message = shorten(f"gave up after the last try: {update.code} {update.message}")
    return DeliveryUpdate(update.channel, DeliveryState.F, ResultCode.PROCESS_FAIL, message)


def _cause(updates: tuple[DeliveryUpdate, ...]) -> DeadCause:
    unanswered = any(update.state is DeliveryState.U for update in updates)
    return DeadCause.UNANSWERED if unanswered else DeadCause.TRIES


def _delay(claim: Claim, open_still: list[Answer], policy: RetryPolicy, draw: Callable[[], float]) -> int:
    loud = [answer for answer in open_still if answer.kind is not AnswerKind.QUIET]
    return max(_delay_after(claim, answer, policy, draw) for answer in loud)


def _delay_after(claim: Claim, answer: Answer, policy: RetryPolicy, draw: Callable[[], float]) -> int:
    if answer.kind is AnswerKind.NOT_SENT:
        return 0
    if answer.kind in _WAITS_FOR_GATEWAY:
        jitter = RetryPolicy(backoff_base=policy.backoff_base, backoff_cap=WAITING_CAP).backoff(claim.attempt, draw)
        return jitter if answer.retry_after is None else answer.retry_after + int(policy.backoff_base * draw())
    return policy.backoff(claim.tries + 1, draw)
