"""Random crashes of real processes between any two calls to Redis: nothing is lost, and nothing is sent after its end.

Two workers with their sweepers and an intake run their real code on a real Redis, over lines on which each call waits
for this test (`tests/crashes`). A process may die before or after any call is executed, hear no answer, hear it twice,
or sleep past its leases and wake up; hints are lost and repeated; the gateway's answers are lost after it acted.

It was seen to fail, in one version or another of its stories, where settle or renew lacked their fence or changed
what was settled; claim ignored a lease, gave another's message away, answered anew when asked twice, forgot that a
crash leaves U, or took every crash for a lone one; sweep took ids out of the due index, or release did not put them
in; accept counted a repeat twice; a send did not look at its deadline; the key towards the gateway changed with the
attempt; an unanswered channel ended as F; the gate let suspects in beside others; claims whose look-up failed were
not given back; a drain kept what it did not send; intake promised what the ledger did not take; poison came a crash
too early.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from random import Random
from typing import ClassVar

import orjson
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from structlog.typing import EventDict
from typing_extensions import override

from tests.crashes.network import CallFate
from tests.crashes.processes import Process, Worker
from tests.crashes.wire import Fate, adverse
from tests.crashes.world import APPS, REQUESTS, World, customer
from tests.ledger_invariants import check_conservation, check_history, check_homes
from tests.ledger_state import LedgerState
from worker.contract.messages import Channel, DeadCause, DeliveryState, Lane
from worker.contract.outcomes import MessageOutcome

CALL_FATES = [CallFate.ANSWERED] * 4 + list(CallFate)
SECONDS_TO_REST = 300
"""More than any message needs that is left with everything well."""

seeds = st.integers(0, 2**16 - 1)


class Event(Enum):
    """What may happen next; the number says how often it does."""

    SEND = "send", 8
    ASK = "ask", 20
    HEAR = "hear", 10
    ANSWER = "answer", 8
    SLEEP = "sleep", 5
    STALL = "stall", 5
    DELAY = "delay", 5
    CRASH = "crash", 5
    FAIL_OVER = "fail_over", 4
    CALM = "calm", 1
    STOP = "stop", 3

    @property
    def weight(self) -> int:
        weight: int = self.value[1]
        return weight


events = st.sampled_from([event for event in Event for _ in range(event.weight)])


class CrashMachine(RuleBasedStateMachine):
    """What may happen to processes, in any order."""

    redis_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.redis_url)
        self.accepted: Counter[tuple[str, Channel]] = Counter()
        self.seen: set[str] = set()
        self.lives: Counter[str] = Counter()
        """How often each customer's message was taken: once it is forgotten, its requestId is a new one (R54)."""
        self.before = self.world.state()
        self.sound = False

    @override
    def teardown(self) -> None:
        """Whatever happened: once nothing fails any more, every message comes to its end."""
        try:
            if self.sound:
                self.come_to_rest()
        finally:
            with reported_bugs(self.world):
                self.world.close()

    def come_to_rest(self) -> None:
        dice = Random(0)
        with reported_bugs(self.world):
            for worker in self.world.workers:
                worker.drain(2 * SECONDS_TO_REST)
        for _ in range(SECONDS_TO_REST):
            with reported_bugs(self.world):
                self.world.live_well(1, dice)
            self.check()
            left = self.before.due or self.before.backlogs or self.world.callbacks_left
            if not left and not any(map(is_occupied, self.world.workers)):
                break
        self.check_nothing_is_lost()
        self.check_callbacks()

    @rule(event=events, seed=seeds)
    def happen(self, event: Event, seed: int) -> None:
        """One rule in place of one for each event: hypothesis would leave some out of most stories."""
        self.sound = False
        with reported_bugs(self.world):
            getattr(self, event.value[0])(Random(seed))
            self.world.bury_the_cursed()

    def send(self, dice: Random) -> None:
        """Merchants send, and send again what was not answered, and what was."""
        requests = dice.choices(range(REQUESTS), k=dice.randint(2, 8))
        self.world.send(dice.choice(APPS), dice.choice(list(Lane)), requests)
        if dice.random() < 0.5:
            self.world.front.work()
        else:
            self.let_ask(self.world.front, dice)

    def ask(self, dice: Random) -> None:
        """A process asks Redis, and what becomes of its last question is drawn."""
        self.let_ask(self.busy_process(dice), dice)

    def let_ask(self, process: Process, dice: Random) -> None:
        grant_some(process, dice)
        if process.wire.calls:
            process.grant(any_call(process, dice), dice.choice(list(Fate)))

    def crash(self, dice: Random) -> None:
        """A process dies between two calls: its last one is executed without it, in part, or never."""
        process = self.busy_process(dice)
        grant_some(process, dice)
        if process.wire.calls:
            process.wire.outlive(any_call(process, dice), dice.choice([0.0, 0.5, 1.0, 1.0]))
        self.world.crash(process)

    def hear(self, dice: Random) -> None:
        """A worker gets hints, in any order, and perhaps another one gets them too."""
        hints = self.world.hints
        worker = dice.choice(self.world.workers)
        for _ in range(min(dice.randint(1, 4), len(hints))):
            index = dice.randrange(len(hints))
            worker.take(hints[index] if dice.random() < 0.3 else hints.pop(index))

    def answer(self, dice: Random) -> None:
        """Calls to the gateway meet their fates; senders that live hear of it."""
        calls = self.world.network.calls
        for _ in range(min(dice.randint(1, 4), len(calls))):
            self.world.network.decide(dice.choice(calls), dice.choice(CALL_FATES), dice)
            for process in self.world.processes:
                process.loop.run_until_idle()

    def sleep(self, dice: Random) -> None:
        """Time passes, and not everybody is awake."""
        awake = [process for process in self.world.processes if dice.random() < 0.6]
        self.world.pass_time(dice.choice([0, 1, 2, 4, 7, 11]), awake, adverse(dice))
        self.world.tick()

    def stall(self, dice: Random) -> None:
        """A process freezes, perhaps past its leases, while the others work on what it held; then it wakes up."""
        frozen = self.busy_process(dice)
        self.world.stall(dice.choice([5, 6, 7, 9, 12]), frozen, adverse(dice))
        frozen.loop.run_until_idle()

    def delay(self, dice: Random) -> None:
        """A call to Redis takes long, perhaps longer than leases."""
        process = self.busy_process(dice)
        if process.wire.calls:
            self.world.delay(dice.choice([2, 4, 6, 7, 8]), process, dice)

    def fail_over(self, dice: Random) -> None:
        """The first of two gateways is left alone for a while."""
        self.world.fail_over(dice.choice([3_000, 6_000, 12_000]))

    def calm(self, dice: Random) -> None:
        """Nothing fails for a while."""
        self.world.live_well(dice.randint(1, 3), dice)

    def stop(self, dice: Random) -> None:
        """A worker gets SIGTERM."""
        holding = [worker for worker in self.world.workers if worker.in_hand]
        dice.choice(holding or self.world.workers).drain(dice.randint(1, 15))

    def busy_process(self, dice: Random) -> Process:
        """Choose who asks Redis something or has messages in hand, or does both, which is when a fault matters most."""
        processes = self.world.processes
        asking = [process for process in processes if process.wire.calls]
        holding = [process for process in processes if process.in_hand]
        both = [process for process in holding if process.wire.calls]
        return dice.choice(both * 4 + asking + holding or processes)

    @invariant()
    def what_always_holds(self) -> None:
        """Check what no crash may break."""
        self.check()
        self.sound = True

    def check(self) -> None:
        assert self.world.witness.faults == []
        state = self.world.state()
        new = {one for one, known in state.records.items() if self.is_new(one, known.outcome.taken_at)}
        for one in new:
            outcome = state.records[one].outcome
            self.accepted.update((outcome.app_id, delivery.channel) for delivery in outcome.deliveries)
            self.lives[whose(outcome)] += 1
        old = {one: known for one, known in self.before.records.items() if one not in new}
        check_conservation(state, self.accepted)
        check_homes(state)
        check_history(replace(self.before, records=old), state)
        self.check_what_was_shown(state)
        self.check_numbers(state)
        self.seen |= state.records.keys()
        assert self.world.promised <= self.seen
        self.before = state

    def is_new(self, message_id: str, taken_at: int) -> bool:
        before = self.before.records.get(message_id)
        return before is None or before.outcome.taken_at != taken_at

    def check_what_was_shown(self, state: LedgerState) -> None:
        """S was shown, F never, and nothing twice; what was forgotten and sent anew may be shown once more."""
        shown = self.world.network.shown
        assert all(number <= self.lives[name] for (name, _), number in shown.items())
        for known in state.records.values():
            name = whose(known.outcome)
            for delivery in known.outcome.deliveries:
                number = shown[name, delivery.channel]
                assert delivery.state is not DeliveryState.S or number >= 1, known
                assert delivery.state is not DeliveryState.F or number < self.lives[name], known

    def check_numbers(self, state: LedgerState) -> None:
        """An attempt ends with a try, a crash or neither; poison was claimed alone three times and once more."""
        for known in state.records.values():
            assert known.outcome.tries + known.outcome.crashes <= known.outcome.attempts
        for letter in state.dead_letters:
            lone = self.world.witness.lone_claims(letter.message_id)
            assert letter.cause != DeadCause.POISON or lone > 3

    def check_nothing_is_lost(self) -> None:
        """Each accepted message is final, a dead letter with a cause, or forgotten, and no worker holds any."""
        assert (self.before.due, self.before.backlogs) == ({}, {})
        for known in self.before.records.values():
            assert DeliveryState.OPEN not in {delivery.state for delivery in known.outcome.deliveries}
        assert all(letter.cause in set(DeadCause) for letter in self.before.dead_letters)
        assert all(tally.open == 0 for tally in self.before.tallies.values())
        assert not any(map(is_occupied, self.world.workers))

    def check_callbacks(self) -> None:
        """The merchant who wants to hear of it was told each outcome, under one id and in the same words."""
        assert self.world.callbacks_left == 0
        said: dict[str, set[bytes]] = {}
        for post in self.world.poster.posts:
            said.setdefault(post.id, set()).add(post.body)
        assert all(len(bodies) == 1 for bodies in said.values())
        told = {post.id: post.body for post in self.world.poster.taken}
        for known in self.before.records.values():
            if known.outcome.app_id == APPS[0]:
                assert orjson.loads(told[told_as(known.outcome)])["data"]["status"] == known.outcome.whole.status


def told_as(outcome: MessageOutcome) -> str:
    """Return the webhook-id of the outcome of a message, which became final once: nobody replays here."""
    return f"msg_{outcome.message_id}_{outcome.taken_at:x}_1"


def whose(outcome: MessageOutcome) -> str:
    """Return the customer of a message."""
    return customer(outcome.app_id, int(outcome.request_id.removeprefix("r")))


def is_occupied(worker: Worker) -> bool:
    """Tell whether a worker holds messages, counts slots as taken, or has not ended as it was asked to."""
    return bool(worker.in_hand or worker.slots_taken or worker.asked_to_end)


def any_call(process: Process, dice: Random) -> int:
    """Choose a call of a process to Redis, most of the time one that changes something."""
    calls = process.wire.calls
    scripts = [index for index, call in enumerate(calls) if call.runs_scripts]
    index: int = dice.choice([*scripts * 4, *range(len(calls))])
    return index


def grant_some(process: Process, dice: Random) -> None:
    """Answer a few calls to Redis, in any order."""
    for _ in range(dice.randint(0, 3)):
        if process.wire.calls:
            process.grant(any_call(process, dice), adverse(dice)())


@contextmanager
def reported_bugs(world: World) -> Iterator[None]:
    """Take what our processes log as an error for a fault, but for poison, which is what they ought to find."""

    def hear(_: object, level: str, event: EventDict) -> EventDict:
        if level in {"error", "exception", "critical"} and event["event"] != "message_is_poison":
            world.witness.faults.append(f"logged: {event}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[hear])
    try:
        yield
    finally:
        structlog.configure(**before)


def test_crashes_between_any_two_calls_lose_nothing_and_repeat_nothing_that_is_known(hasty_redis_url: str) -> None:
    class Machine(CrashMachine):
        redis_url = hasty_redis_url

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=50,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.generate, Phase.shrink],
        ),
    )
