"""Random operations on the model and on the ledger in Redis: the same answers, the same state, and what always holds.

Hints are lost and repeated, answers are lost, workers die and come back with claims that others have taken meanwhile.
Each operation throws dice of its own from one drawn number, so that a long story stays small for hypothesis.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import astuple, replace
from functools import partial
from random import Random
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from typing_extensions import override

from tests.fakes.ledger import NEW
from tests.ledger_driver import DAY, LedgerDriver, ids, model, new_message, real
from tests.ledger_invariants import check_conservation, check_history, check_homes
from tests.ledger_state import LedgerState
from worker.adapters.redis.limits import LedgerLimits
from worker.contract.callbacks import EVERY_OUTCOME, NO_OUTCOMES
from worker.contract.cancellations import Cancelled
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery
from worker.contract.identity import shard_of
from worker.contract.messages import (
    Acceptance,
    Channel,
    Claim,
    DeadCause,
    DeliveryState,
    DeliveryUpdate,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
    Settlement,
    Verdict,
    WaitReason,
)
from worker.contract.origins import BatchPart, BatchStart, Origin
from worker.ports import Probe

Item = TypeVar("Item")

SHARDS = 2
LIMITS = LedgerLimits(
    lease=6, grace=3, longest_grace=10, sweep_size=3, window_single=1, window_bulk=2, waiting=2, retention=15, staging=8
)
APPS = ("shop", "shop1")
CHANNELS = (
    ((Channel.PUSH, Channel.INBOX), ()),
    ((Channel.PUSH,), ()),
    ((Channel.INBOX,), (Channel.PUSH,)),
)
"""Channels and skipped channels of requests, by turns."""
REQUESTS = 12
MESSAGE_IDS = ids(new_message(f"r{index}", app) for app in APPS for index in range(REQUESTS))
BATCHES = ("b1", "b2")
CLAIM_IDS = ("claim-a", "claim-b", "claim-c")
OPEN, S, F, U = DeliveryState.OPEN, DeliveryState.S, DeliveryState.F, DeliveryState.U

seeds = st.integers(0, 2**16 - 1)
chance = st.booleans()
twice = st.integers(1, 2)
"""How often something is asked, as its answer may be lost."""
pauses = st.sampled_from([0, 0, 1, 3, 7])
"""Milliseconds before an operation: nothing waits longer than 10, but for retention."""


class LedgerMachine(RuleBasedStateMachine):
    """What intake, workers and sweepers may do, in any order."""

    redis_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.model: LedgerDriver = self.stack.enter_context(model(LIMITS, SHARDS))
        self.real: LedgerDriver = self.stack.enter_context(real(self.redis_url, LIMITS, SHARDS))
        self.hints: list[Hint] = []
        self.claims: list[Claim] = []
        self.letters: list[DeadLetter] = []
        self.accepted: Counter[tuple[str, Channel]] = Counter()
        self.before = self.real.state()

    @override
    def teardown(self) -> None:
        self.stack.close()

    def both(self, operation: Callable[[LedgerDriver], Item]) -> Item:
        """Do the same on both and compare what they answer."""
        expected, answer = operation(self.model), operation(self.real)
        assert answer == expected
        return answer

    def planned(self, dice: Random, message: NewMessage) -> NewMessage:
        send_at = self.real.now + dice.choice([-1, 0, 4, 12])
        expire_at = dice.choice([None, max(send_at, self.real.now) + 9])
        return replace(message, send_at=send_at, expire_at=expire_at)

    def until_heard(self, times: int, operation: Callable[[LedgerDriver], Item]) -> Item:
        """Do the same on both, `times` times: where an answer was lost, the caller asks again."""
        return [self.both(operation) for _ in range(times)][-1]

    def advance(self, milliseconds: int) -> None:
        for ledger in (self.model, self.real):
            ledger.advance(milliseconds)

    @rule(app=st.sampled_from(APPS), lane=st.sampled_from(Lane), seed=seeds, again=chance)
    def accept(self, app: str, lane: Lane, seed: int, again: bool) -> None:  # noqa: FBT001 - drawn
        dice = Random(seed)
        messages = [new_request(dice, app) for _ in range(dice.randint(1, 8))]
        if dice.random() < 0.3:
            messages = [self.planned(dice, message) for message in messages]
        told = EVERY_OUTCOME if app == APPS[0] else NO_OUTCOMES
        answers = self.both(lambda ledger: ledger.accept(messages, app, lane, told))
        for message, answer in zip(messages, answers, strict=True):
            if answer in NEW:
                self.accepted.update((app, channel) for channel in message.channels)
            if answer is Acceptance.DUE:
                self.hints.append(Hint(lane, shard_of(message.message_id, SHARDS), (message.message_id,)))
        if again:
            repeated = self.both(lambda ledger: ledger.accept(messages, app, lane, told))
            assert set(repeated) <= {Acceptance.REPEATED, Acceptance.INCONSISTENT, Acceptance.STAGED}

    @rule(
        app=st.sampled_from(APPS),
        lane=st.sampled_from(Lane),
        seed=seeds,
        start=st.sampled_from(BatchStart),
        times=twice,
    )
    def accept_batch(self, app: str, lane: Lane, seed: int, start: BatchStart, times: int) -> None:
        dice = Random(seed)
        messages = [replace(new_request(dice, app), row=dice.choice([None, 3, index])) for index in range(3)]
        messages[0] = self.planned(dice, messages[0])
        part = BatchPart(dice.choice(BATCHES), start)
        answers = [self.both(lambda ledger: ledger.accept(messages, app, lane, part=part)) for _ in range(times)]
        for message, answer in zip(messages, answers[0], strict=True):
            if answer in NEW:
                self.accepted.update((app, channel) for channel in message.channels)
        assert {answer for later in answers[1:] for answer in later}.isdisjoint(NEW)

    @rule(app=st.sampled_from(APPS), batch=st.sampled_from(["", *BATCHES]), times=twice, again=chance)
    def pause_or_resume(self, app: str, batch: str, times: int, again: bool) -> None:  # noqa: FBT001 - drawn
        step = LedgerDriver.pause if again else LedgerDriver.resume
        self.until_heard(times, partial(step, origin=Origin(app, batch)))
        self.both(LedgerDriver.paused)

    @rule(app=st.sampled_from(APPS), batch=st.sampled_from(BATCHES), times=twice, run=chance)
    def decide(self, app: str, batch: str, times: int, run: bool) -> None:  # noqa: FBT001 - drawn
        step = LedgerDriver.run_batch if run else LedgerDriver.withdraw
        self.withdrawing(times, partial(step, batch=Origin(app, batch)))

    @rule(seed=seeds, app=st.sampled_from(APPS), batch=st.sampled_from(["", *BATCHES]), times=twice, every=chance)
    def cancel(self, seed: int, app: str, batch: str, times: int, every: bool) -> None:  # noqa: FBT001 - drawn
        message_ids = any_ids(Random(seed))
        before = self.both(partial(LedgerDriver.standing, origin=Origin(app, batch)))
        if every:
            done = self.both(partial(LedgerDriver.cancel_all, origin=Origin(app, batch)))
            after = self.both(partial(LedgerDriver.standing, origin=Origin(app, batch)))
            assert done[Cancelled.CANCELLED] == sum(astuple(before)) - sum(astuple(after))
        else:
            self.until_heard(times, partial(LedgerDriver.cancel, message_ids=message_ids, app_id=app))

    @rule(times=twice, pause=pauses)
    def look_after(self, times: int, pause: int) -> None:
        self.advance(pause)
        self.hints += self.withdrawing(times, LedgerDriver.look_after)

    def withdrawing(self, times: int, operation: Callable[[LedgerDriver], Item]) -> Item:
        """Do what may erase messages as if they had never been taken."""
        before = self.real.state().records
        answer = self.until_heard(times, operation)
        for message_id in before.keys() - self.real.state().records.keys():
            outcome = before[message_id].outcome
            assert outcome.attempts == 0
            self.accepted.subtract(
                (outcome.app_id, one.channel) for one in outcome.deliveries if one.state is not DeliveryState.SKIPPED
            )
        self.accepted = +self.accepted
        return answer

    @rule(app=st.sampled_from(APPS), batch=st.sampled_from(BATCHES), first=st.integers(0, 4))
    def read_batch(self, app: str, batch: str, first: int) -> None:
        self.both(lambda ledger: ledger.rows(Origin(app, batch), first, 2))
        self.both(lambda ledger: ledger.tally(Origin(app, batch)))

    @rule(seed=seeds)
    def probe(self, seed: int) -> None:
        dice = Random(seed)
        fingerprint, user = dice.choice(["content", "other"]), dice.choice(["user", ""])
        probes = [Probe(message_id, fingerprint, user) for message_id in any_ids(dice)]
        self.both(lambda ledger: ledger.probe(probes))

    @precondition(lambda self: self.hints)
    @rule(seed=seeds, times=st.integers(1, 2), pause=pauses)
    def work(self, seed: int, times: int, pause: int) -> None:
        """Claim what hints name, perhaps not for the first time, and end most of the claims."""
        self.advance(pause)
        dice = Random(seed)
        for hint in some(dice, self.hints):
            claims = self.claim(hint, dice.choice(CLAIM_IDS), times)
            self.end(dice, [claim for claim in claims if dice.random() < 0.7], times)

    @rule(seed=seeds, shard=st.integers(0, SHARDS - 1), pause=pauses)
    def claim_by_chance(self, seed: int, shard: int, pause: int) -> None:
        self.advance(pause)
        dice = Random(seed)
        hint = Hint(Lane.BULK, shard, tuple(any_ids(dice)), dice.choice(list(HintKind)))
        self.claim(hint, dice.choice(CLAIM_IDS), 1)

    def claim(self, hint: Hint, claim_id: str, times: int) -> list[Claim]:
        claims = self.until_heard(times, lambda ledger: ledger.claim(hint.message_ids, claim_id, hint.shard, hint.kind))
        self.claims += claims
        return claims

    def end(self, dice: Random, claims: Sequence[Claim], times: int) -> None:
        settlements = [any_end(dice, claim) for claim in claims]
        self.until_heard(times, lambda ledger: ledger.settle(settlements))

    @precondition(lambda self: self.claims)
    @rule(seed=seeds, times=st.integers(1, 2), pause=pauses)
    def settle(self, seed: int, times: int, pause: int) -> None:
        """End claims of any time, some for the second time or after another worker took the message."""
        self.advance(pause)
        dice = Random(seed)
        self.end(dice, some(dice, self.claims), times)

    @precondition(lambda self: self.claims)
    @rule(seed=seeds, times=st.integers(1, 2), pause=pauses)
    def renew(self, seed: int, times: int, pause: int) -> None:
        self.advance(pause)
        claims = some(Random(seed), self.claims)
        self.until_heard(times, lambda ledger: ledger.renew(claims))

    @precondition(lambda self: self.claims)
    @rule(seed=seeds, times=st.integers(1, 2))
    def note_gateways(self, seed: int, times: int) -> None:
        dice = Random(seed)
        notes = [
            GatewayNote(claim.message_id, claim.claim_id, claim.attempt, {dice.choice(list(Channel)): "spare"})
            for claim in some(dice, self.claims)
        ]
        self.until_heard(times, lambda ledger: ledger.note_gateways(notes))

    @rule(times=st.integers(1, 2), pause=pauses)
    def sweep(self, times: int, pause: int) -> None:
        """Sweep; a sweeper that dies before it publishes is followed by another one."""
        self.advance(pause)
        self.hints += self.until_heard(times, LedgerDriver.sweep)

    @rule(times=st.integers(1, 2))
    def release(self, times: int) -> None:
        for shard, lane in self.both(LedgerDriver.backlogged):
            self.hints += self.until_heard(times, partial(LedgerDriver.release, shard=shard, lane=lane))

    @rule(times=st.integers(1, 2), pause=st.sampled_from([0, 14, 15]))
    def forget(self, times: int, pause: int) -> None:
        self.advance(pause)
        self.until_heard(times, LedgerDriver.forget)

    @precondition(lambda self: self.before.dead)
    @rule(seed=seeds, times=st.integers(1, 2))
    def search(self, seed: int, times: int) -> None:
        """Turn pages of what some query finds."""
        dice = Random(seed)
        query, after = any_query(dice, self.before), None
        for _ in range(times):
            page = self.both(partial(LedgerDriver.letters, query=query, most=dice.randint(1, 3), after=after))
            after = page.more_after

    @precondition(lambda self: self.before.dead)
    @rule(seed=seeds, times=st.integers(1, 2), run=st.sampled_from(["run-a", "run-b"]), discard=chance)
    def intervene(self, seed: int, times: int, run: str, discard: bool) -> None:  # noqa: FBT001 - drawn
        """Replay or discard letters, some of which are dead no more, perhaps in a run that had them before."""
        dice = Random(seed)
        self.letters += self.before.dead_letters
        letters = some(dice, self.letters)
        if discard:
            self.until_heard(times, lambda ledger: ledger.discard(letters, f"{run}-discard"))
        else:
            within = dice.randint(1, 30)
            self.until_heard(times, lambda ledger: ledger.replay(letters, run, within))

    @precondition(lambda self: len(self.claims) > 20)
    @rule()
    def work_until_nothing_is_open(self) -> None:
        """A worker that lives delivers everything, whatever happened before, once nothing is paused."""
        for batch in self.both(LedgerDriver.paused):
            self.withdrawing(1, partial(LedgerDriver.run_batch, batch=batch.origin))
            self.both(partial(LedgerDriver.resume, origin=batch.origin))
        for _ in MESSAGE_IDS:
            self.advance(30)
            hints = self.both(LedgerDriver.sweep)
            for hint in hints:
                self.deliver(hint)
            self.withdrawing(1, LedgerDriver.look_after)
            backlogs = self.both(LedgerDriver.backlogged)
            for shard, lane in backlogs:
                self.both(partial(LedgerDriver.release, shard=shard, lane=lane))
            if not hints and not backlogs and not self.real.state().scheduled:
                break
        assert (self.real.state().due, self.real.state().scheduled, self.real.state().backlogs) == ({}, {}, {})

    def deliver(self, hint: Hint) -> None:
        claims = self.claim(hint, "claim-d", 1)
        settlements = [delivered(claim) for claim in claims]
        self.both(lambda ledger: ledger.settle(settlements))

    @invariant()
    def what_always_holds(self) -> None:
        """Compare everything that can be observed, and check what no operation may break."""
        state = self.real.state()
        assert state == self.model.state()
        check_conservation(state, self.accepted)
        check_homes(state)
        check_history(self.before, state)
        self.before = state


def some(dice: Random, items: Sequence[Item]) -> list[Item]:
    """Choose a few, perhaps one twice: most of the time of the newest, which are likely to be in force."""
    return dice.choices(items[-8:] if dice.random() < 0.8 else items, k=dice.randint(1, 6))


def any_ids(dice: Random) -> list[str]:
    return dice.choices([*MESSAGE_IDS, "f" * 32], k=dice.randint(1, 16))


def new_request(dice: Random, app: str) -> NewMessage:
    index = dice.randrange(REQUESTS)
    channels, skipped = CHANNELS[index % len(CHANNELS)]
    fingerprint = "other" if dice.random() < 0.1 else "content"
    new = new_message(f"r{index}", app, channels=channels, skipped=skipped, fingerprint=fingerprint)
    return replace(new, deliver_within=dice.choice([5, 20, DAY]))


def any_query(dice: Random, state: LedgerState) -> DeadLetterQuery:
    """Choose what some dead letter is, or nearly."""
    letter = dice.choice(state.dead_letters)
    channel = dice.choice(letter.channels)
    every: dict[str, Any] = {
        "app_id": letter.app_id,
        "request_id": letter.request_id,
        "template_code": dice.choice([letter.template_code, "PA"]),
        "channel": channel.channel,
        "code": channel.code,
        "gateway": channel.gateway,
        "died_from": letter.died_at - dice.randint(-1, 3),
        "died_until": letter.died_at + dice.randint(-1, 3),
    }
    return DeadLetterQuery(**{name: every[name] for name in dice.sample(sorted(every), k=dice.randint(0, 3))})


def any_end(dice: Random, claim: Claim) -> Settlement:
    """Choose how a claim ends: whoever retries leaves a channel open, whoever closes leaves none."""
    channels = [channel for channel, text in claim.deliveries.items() if text.startswith(OPEN)]
    verdict = dice.choice(list(Verdict))
    comes_back = verdict in (Verdict.RETRY, Verdict.DEFER)
    states = [dice.choice([None, OPEN, S, F] if comes_back else [S, S, F, U]) for _ in channels]
    if comes_back and not {None, OPEN} & set(states):
        states[0] = OPEN
    code = dice.choice(["", "BUSY", "NOT BUSY", "UNANSWERED"])
    cause = {Verdict.DEAD: DeadCause.TRIES, Verdict.DEFER: WaitReason.QUIET_HOURS}.get(verdict, "")
    return Settlement(
        message_id=claim.message_id,
        claim_id=claim.claim_id,
        attempt=claim.attempt,
        verdict=verdict,
        updates=tuple(
            DeliveryUpdate(channel, state, code, "text" if code else "", dice.choice(["", "gate-1", "gate 2|"]))
            for channel, state in zip(channels, states, strict=True)
            if state is not None
        ),
        tries=dice.randint(0, 1),
        delay=dice.randint(0, 8),
        cause=cause,
        worker="w1",
    )


def delivered(claim: Claim) -> Settlement:
    updates = tuple(DeliveryUpdate(channel, S) for channel in claim.deliveries)
    return Settlement(claim.message_id, claim.claim_id, claim.attempt, Verdict.FINAL, updates, tries=1, worker="w2")


def test_the_ledger_in_redis_does_what_the_model_does(hasty_redis_url: str) -> None:
    class Machine(LedgerMachine):
        redis_url = hasty_redis_url

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )
