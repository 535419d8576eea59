"""Random operations on the model and on the ledger in Redis: the same answers, the same state, and what always holds.

Hints are lost and repeated, answers are lost, workers die and come back with claims that others have taken meanwhile.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from typing_extensions import override

from tests.ledger_driver import LedgerDriver, ids, model, new_message, real
from tests.ledger_state import LedgerState
from worker.adapters.redis.ledger import LedgerLimits
from worker.contract.identity import shard_of
from worker.contract.messages import (
    Acceptance,
    Channel,
    Claim,
    DeadCause,
    DeliveryState,
    DeliveryUpdate,
    Hint,
    Lane,
    NewMessage,
    Settlement,
    Verdict,
)
from worker.contract.outcomes import Tally
from worker.ports import Probe

Answer = TypeVar("Answer")

SHARDS = 2
LIMITS = LedgerLimits(lease=6, grace=3, longest_grace=10, sweep_size=3, window_single=1, window_bulk=2, retention=40)
APPS = ("shop", "shop1")
CHANNELS = (
    ((Channel.PUSH, Channel.INBOX), ()),
    ((Channel.PUSH,), ()),
    ((Channel.INBOX,), (Channel.PUSH,)),
)
"""Channels and skipped channels of requests, by turns."""
REQUESTS = 9
MESSAGE_IDS = ids(new_message(f"r{index}", app) for app in APPS for index in range(REQUESTS))
OPEN = DeliveryState.OPEN
COUNTED = (DeliveryState.S, DeliveryState.F, DeliveryState.U, OPEN)

some_ids = st.lists(st.sampled_from([*MESSAGE_IDS, "f" * 32]), max_size=6)
lanes = st.sampled_from(Lane)
shards = st.integers(0, SHARDS - 1)
claim_ids = st.sampled_from(["claim-a", "claim-b", "claim-c"])
chance = st.booleans()
final_states = st.sampled_from([DeliveryState.S, DeliveryState.F, DeliveryState.U])
later_states = st.sampled_from([None, OPEN, DeliveryState.S, DeliveryState.F])


def request(app: str, index: int, fingerprint: str) -> NewMessage:
    channels, skipped = CHANNELS[index % len(CHANNELS)]
    return new_message(f"r{index}", app, channels=channels, skipped=skipped, fingerprint=fingerprint)


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
        self.accepted: Counter[tuple[str, Channel]] = Counter()
        self.before = self.real.state()

    @override
    def teardown(self) -> None:
        self.stack.close()

    def both(self, operation: Callable[[LedgerDriver], Answer]) -> Answer:
        """Do the same on both and compare what they answer."""
        expected, answer = operation(self.model), operation(self.real)
        assert answer == expected
        return answer

    def unheard(self, lost: bool, operation: Callable[[LedgerDriver], Answer]) -> Answer:  # noqa: FBT001 - a draw
        """Do the same on both; where the answer was lost, nobody hears it and the caller asks again."""
        if lost:
            self.both(operation)
        return self.both(operation)

    @rule(
        app=st.sampled_from(APPS),
        lane=lanes,
        wanted=st.lists(st.tuples(st.integers(0, REQUESTS - 1), st.sampled_from(["content", "other"])), max_size=5),
        lost=chance,
    )
    def accept(self, app: str, lane: Lane, wanted: list[tuple[int, str]], lost: bool) -> None:  # noqa: FBT001 - a draw
        messages = [request(app, index, fingerprint) for index, fingerprint in wanted]
        answers = self.both(lambda ledger: ledger.accept(messages, app, lane))
        for message, answer in zip(messages, answers, strict=True):
            if answer in (Acceptance.DUE, Acceptance.BACKLOGGED):
                self.accepted.update((app, channel) for channel in message.channels)
            if answer is Acceptance.DUE:
                shard = shard_of(message.message_id, SHARDS)
                self.hints.append(Hint(lane, shard, (message.message_id,)))
        if lost:
            again = self.both(lambda ledger: ledger.accept(messages, app, lane))
            assert set(again) <= {Acceptance.REPEATED, Acceptance.INCONSISTENT}

    @rule(message_ids=some_ids, fingerprint=st.sampled_from(["content", "other"]), user=st.sampled_from(["user", ""]))
    def probe(self, message_ids: list[str], fingerprint: str, user: str) -> None:
        self.both(lambda ledger: ledger.probe([Probe(one, fingerprint, user) for one in message_ids]))

    @precondition(lambda self: self.hints)
    @rule(data=st.data(), claim_id=claim_ids, lost=chance)
    def claim_a_hint(self, data: st.DataObject, claim_id: str, lost: bool) -> None:  # noqa: FBT001 - a draw
        """Work on hints that were published at some time, perhaps not for the first time."""
        for hint in data.draw(st.lists(likely_the_newest(self.hints), min_size=1, max_size=3)):
            self.claim(hint.shard, hint.message_ids, claim_id, lost)

    @rule(shard=shards, message_ids=some_ids, claim_id=claim_ids)
    def claim_by_chance(self, shard: int, message_ids: list[str], claim_id: str) -> None:
        self.claim(shard, message_ids, claim_id, lost=False)

    def claim(self, shard: int, message_ids: Sequence[str], claim_id: str, lost: bool) -> None:  # noqa: FBT001 - a draw
        self.claims += self.unheard(lost, lambda ledger: ledger.claim(message_ids, claim_id, shard))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), lost=chance)
    def renew(self, data: st.DataObject, lost: bool) -> None:  # noqa: FBT001 - a draw
        claims = data.draw(st.lists(likely_the_newest(self.claims), min_size=1, max_size=3))
        self.unheard(lost, lambda ledger: ledger.renew(claims))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), lost=chance)
    def settle(self, data: st.DataObject, lost: bool) -> None:  # noqa: FBT001 - a draw
        claims = data.draw(st.lists(likely_the_newest(self.claims), min_size=1, max_size=4))
        settlements = [draw_settlement(data, claim) for claim in claims]
        self.unheard(lost, lambda ledger: ledger.settle(settlements))

    @rule(milliseconds=st.sampled_from([1, 2, 3, 5, 8, 13, 21]))
    def advance(self, milliseconds: int) -> None:
        for ledger in (self.model, self.real):
            ledger.advance(milliseconds)

    @rule(died=chance)
    def sweep(self, died: bool) -> None:  # noqa: FBT001 - a draw
        """Sweep; a sweeper that dies publishes nothing."""
        hints = self.both(LedgerDriver.sweep)
        self.hints += [] if died else hints

    @rule(shard=shards, lane=lanes, died=chance)
    def release(self, shard: int, lane: Lane, died: bool) -> None:  # noqa: FBT001 - a draw
        hints = self.both(lambda ledger: ledger.release(shard, lane))
        self.hints += [] if died else hints

    @rule(lost=chance)
    def forget(self, lost: bool) -> None:  # noqa: FBT001 - a draw
        self.unheard(lost, LedgerDriver.forget)

    @precondition(lambda self: len(self.claims) > 12)
    @rule()
    def work_until_nothing_is_open(self) -> None:
        """A worker that lives delivers everything, whatever happened before."""
        for turn in range(len(MESSAGE_IDS)):
            self.advance(30)
            for hint in self.both(LedgerDriver.sweep):
                claim_id = f"drain-{self.real.now}-{turn}"
                claims = self.both(
                    partial(LedgerDriver.claim, message_ids=hint.message_ids, claim_id=claim_id, shard=hint.shard)
                )
                self.both(partial(LedgerDriver.settle, settlements=[delivered(claim) for claim in claims]))
            for shard, lane in self.both(LedgerDriver.backlogged):
                self.both(partial(LedgerDriver.release, shard=shard, lane=lane))
        assert (self.real.state().due, self.real.state().backlogs) == ({}, {})

    @invariant()
    def what_always_holds(self) -> None:
        """Compare everything that can be observed, and check what no operation may break."""
        state = self.real.state()
        assert state == self.model.state()
        assert state.tallies == tallies_of(state, self.accepted)
        check_homes(state)
        check_history(self.before, state)
        self.before = state


def likely_the_newest(items: Sequence[Answer]) -> st.SearchStrategy[Answer]:
    return st.sampled_from(items[-4:]) | st.sampled_from(items)


def draw_settlement(data: st.DataObject, claim: Claim) -> Settlement:
    """Choose how a claim ends: whoever retries leaves a channel open, whoever closes leaves none."""
    channels = [channel for channel, text in claim.deliveries.items() if text.startswith(OPEN)]
    verdict = data.draw(st.sampled_from(Verdict))
    states = [data.draw(later_states if verdict is Verdict.RETRY else final_states) for _ in channels]
    if verdict is Verdict.RETRY and not {None, OPEN} & set(states):
        states[0] = OPEN
    code = data.draw(st.sampled_from(["", "BUSY", "UNANSWERED"]))
    return Settlement(
        message_id=claim.message_id,
        claim_id=claim.claim_id,
        attempt=claim.attempt,
        verdict=verdict,
        updates=tuple(
            DeliveryUpdate(channel, state, code, "text" if code else "")
            for channel, state in zip(channels, states, strict=True)
            if state is not None
        ),
        tries=data.draw(st.integers(0, 1)),
        delay=data.draw(st.integers(0, 8)),
        cause=DeadCause.TRIES if verdict is Verdict.DEAD else "",
        worker="w1",
    )


def delivered(claim: Claim) -> Settlement:
    updates = tuple(DeliveryUpdate(channel, DeliveryState.S) for channel in claim.deliveries)
    return Settlement(claim.message_id, claim.claim_id, claim.attempt, Verdict.FINAL, updates, tries=1, worker="w2")


def tallies_of(state: LedgerState, accepted: Counter[tuple[str, Channel]]) -> dict[tuple[str, Channel], Tally]:
    """Count anew from the records and from what was ever accepted; what is accepted and gone was forgotten."""
    found = Counter(
        (known.outcome.app_id, delivery.channel, delivery.state)
        for known in state.records.values()
        for delivery in known.outcome.deliveries
    )
    tallies = {}
    for (app, channel), number in accepted.items():
        s, f, u, still_open = (found[app, channel, one] for one in COUNTED)
        tallies[app, channel] = Tally(number, s, f, u, still_open, number - s - f - u - still_open)
    return tallies


def check_homes(state: LedgerState) -> None:
    """Every open message has exactly one home, no other message has one, and each index names what it should."""
    homes = Counter([*state.due, *(one for waiting in state.backlogs.values() for one in waiting)])
    still_open = {one for one, known in state.records.items() if known.outcome.settled_at is None}
    closed = state.records.keys() - still_open
    assert homes == Counter(still_open)
    assert closed == state.dead.keys() | state.retention.keys()
    assert not state.dead.keys() & state.retention.keys()
    assert still_open | state.dead.keys() <= state.payloads.keys() <= state.records.keys()
    assert {message_id for _, _, message_id in state.window} <= state.due.keys()
    assert state.backlogs.keys() == state.released.keys()


def check_history(before: LedgerState, after: LedgerState) -> None:
    """No attempt number decreases, and no channel that has an outcome gets another one."""
    for message_id in before.records.keys() & after.records.keys():
        was, is_now = before.records[message_id].outcome, after.records[message_id].outcome
        assert is_now.attempts >= was.attempts
        assert is_now.tries >= was.tries
        assert is_now.crashes >= was.crashes
        for old, new in zip(was.deliveries, is_now.deliveries, strict=True):
            assert new == old or old.state is OPEN


def test_the_ledger_in_redis_does_what_the_model_does(redis_url: str) -> None:
    url = redis_url

    class Machine(LedgerMachine):
        redis_url = url

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=80,
            stateful_step_count=50,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )
