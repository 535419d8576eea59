"""Random crashes of real processes between any two calls to Redis: nothing is lost, and nothing is sent after its end.

Two workers with their sweepers and an intake run their real code on a real Redis, over lines on which each call waits
for this test (`tests/crashes`). A process may die before or after any call is executed, hear no answer, hear it twice,
or sleep past its leases and wake up; hints are lost and repeated; the gateway's answers are lost after it acted.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import ClassVar, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis as Server
from structlog.typing import EventDict
from typing_extensions import override

from tests.crashes.network import CallFate
from tests.crashes.processes import Process
from tests.crashes.wire import Fate
from tests.crashes.world import APPS, REQUESTS, World, customer
from tests.ledger_invariants import check_conservation, check_history, check_homes
from tests.ledger_state import LedgerState
from worker.contract.messages import LONE_CRASHES, Channel, DeadCause, DeliveryState, Lane

Item = TypeVar("Item")

seeds = st.integers(0, 2**16 - 1)
chance = st.booleans()
fates = st.sampled_from([Fate.ANSWERED, *Fate])
places = st.integers(0, 2)
"""Which process: a worker, the other one, or the front."""
workers = st.integers(0, 1)


class CrashMachine(RuleBasedStateMachine):
    """What may happen to processes, in any order."""

    redis_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.redis_url)
        self.accepted: Counter[tuple[str, Channel]] = Counter()
        self.before = self.world.state()
        self.sound = True

    @override
    def teardown(self) -> None:
        """Whatever happened: once nothing fails any more, every message comes to its end."""
        try:
            if self.sound:
                with reported_bugs(self.world):
                    self.world.come_to_rest(Random(0))
                self.check()
                self.check_nothing_is_lost()
        finally:
            self.world.close()

    @rule(app=st.sampled_from(APPS), lane=st.sampled_from(Lane), seed=seeds)
    def send(self, app: str, lane: Lane, seed: int) -> None:
        """Merchants send, and send again what was not answered, and what was."""
        dice = Random(seed)
        self.world.send(app, lane, dice.choices(range(REQUESTS), k=dice.randint(1, 5)))

    @rule(place=places, seed=seeds, calls=st.integers(0, 8), fate=fates)
    def run_on(self, place: int, seed: int, calls: int, fate: Fate) -> None:
        """A process asks Redis, and what becomes of its last question is drawn."""
        process, dice = self.world.processes[place], Random(seed)
        with reported_bugs(self.world):
            grant_some(process, dice, calls)
            if process.wire.calls:
                process.grant(dice.randrange(len(process.wire.calls)), fate)

    @rule(place=places, seed=seeds, calls=st.integers(0, 12), executed=chance)
    def crash(self, place: int, seed: int, calls: int, executed: bool) -> None:  # noqa: FBT001 - drawn
        """A process dies between two calls: its last one is executed without it, or never."""
        process, dice = self.world.processes[place], Random(seed)
        with reported_bugs(self.world):
            grant_some(process, dice, calls)
            if executed and process.wire.calls:
                process.wire.execute(dice.randrange(len(process.wire.calls)))
            self.world.crash(process)

    @precondition(lambda self: self.world.hints)
    @rule(place=workers, seed=seeds, hints=st.integers(1, 4), again=chance)
    def hear(self, place: int, seed: int, hints: int, again: bool) -> None:  # noqa: FBT001 - drawn
        """A worker gets hints, in any order, and perhaps another one gets them too."""
        dice = Random(seed)
        with reported_bugs(self.world):
            for _ in range(min(hints, len(self.world.hints))):
                index = dice.randrange(len(self.world.hints))
                hint = self.world.hints[index] if again else self.world.hints.pop(index)
                self.world.workers[place].take(hint)

    @precondition(lambda self: self.world.network.calls)
    @rule(seed=seeds, calls=st.integers(1, 4))
    def answer(self, seed: int, calls: int) -> None:
        """Calls to the gateway meet their fates; senders that live hear of it."""
        dice = Random(seed)
        with reported_bugs(self.world):
            for _ in range(min(calls, len(self.world.network.calls))):
                fate = dice.choice([CallFate.ANSWERED] * 4 + list(CallFate))
                self.world.network.decide(dice.choice(self.world.network.calls), fate, dice)
                for process in self.world.processes:
                    process.loop.run_until_idle()

    @rule(seconds=st.sampled_from([1, 1, 2, 4, 7, 11]), seed=seeds)
    def pass_time(self, seconds: int, seed: int) -> None:
        """Time passes, and not everybody is awake."""
        dice = Random(seed)
        awake = [process for process in self.world.processes if dice.random() < 0.6]
        with reported_bugs(self.world):
            self.world.pass_time(seconds, awake)

    @rule(seconds=st.integers(1, 4), seed=seeds)
    def live_well(self, seconds: int, seed: int) -> None:
        """Nothing fails for a while."""
        with reported_bugs(self.world):
            self.world.live_well(seconds, Random(seed))

    @rule(place=workers, seconds=st.integers(1, 15))
    def stop(self, place: int, seconds: int) -> None:
        """A worker gets SIGTERM."""
        with reported_bugs(self.world):
            self.world.workers[place].drain(seconds)

    @invariant()
    def what_always_holds(self) -> None:
        """Check what no crash may break."""
        self.sound = False
        self.check()
        self.sound = True

    def check(self) -> None:
        assert self.world.witness.faults == []
        state = self.world.state()
        new = {one for one, known in state.records.items() if self.is_new(one, known.outcome.taken_at)}
        for one in new:
            outcome = state.records[one].outcome
            self.accepted.update((outcome.app_id, delivery.channel) for delivery in outcome.deliveries)
        old = {one: known for one, known in self.before.records.items() if one not in new}
        check_conservation(state, self.accepted)
        check_homes(state)
        check_history(replace(self.before, records=old), state)
        self.check_what_was_shown(state)
        self.check_poison(state)
        self.before = state

    def is_new(self, message_id: str, taken_at: int) -> bool:
        before = self.before.records.get(message_id)
        return before is None or before.outcome.taken_at != taken_at

    def check_what_was_shown(self, state: LedgerState) -> None:
        """S was shown once, F never, and nothing twice."""
        shown = self.world.network.shown
        assert set(shown.values()) <= {1}
        for known in state.records.values():
            whose = customer(known.outcome.app_id, int(known.outcome.request_id.removeprefix("r")))
            for delivery in known.outcome.deliveries:
                if delivery.state in (DeliveryState.S, DeliveryState.F):
                    assert shown[whose, delivery.channel] == (delivery.state is DeliveryState.S), known

    def check_poison(self, state: LedgerState) -> None:
        """Nobody calls a message poison that was not claimed alone three times, and once more to be given up."""
        for letter in state.dead_letters:
            lone = self.world.witness.lone_claims(letter.message_id)
            assert letter.cause is not DeadCause.POISON or lone > LONE_CRASHES

    def check_nothing_is_lost(self) -> None:
        """Each accepted message is final, a dead letter with a cause, or forgotten, and none was promised in vain."""
        state = self.world.state()
        for message_id in self.world.promised:
            if message_id in state.records:
                outcome = state.records[message_id].outcome
                assert outcome.settled_at is not None
                assert DeliveryState.OPEN not in {delivery.state for delivery in outcome.deliveries}
        assert all(letter.cause in set(DeadCause) for letter in state.dead_letters)
        assert all(tally.open == 0 for tally in state.tallies.values())


def grant_some(process: Process, dice: Random, calls: int) -> None:
    """Answer so many calls to Redis, in any order."""
    for _ in range(calls):
        if process.wire.calls:
            process.grant(dice.randrange(len(process.wire.calls)), Fate.ANSWERED)


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


@pytest.fixture
def hasty_redis_url(redis_url: str) -> Iterator[str]:
    """A server that does not wait for the disk: it is the processes that die here."""
    with Server.from_url(redis_url) as server:
        before = server.config_get("appendfsync")["appendfsync"]
        server.config_set("appendfsync", "no")
        try:
            yield redis_url
        finally:
            server.config_set("appendfsync", before)


def test_crashes_between_any_two_calls_lose_nothing_and_repeat_nothing_that_is_known(hasty_redis_url: str) -> None:
    class Machine(CrashMachine):
        redis_url = hasty_redis_url

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=50,
            suppress_health_check=[HealthCheck.too_slow],
            phases=[Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )
