"""The processes of an installation, each with the real code on a loop, a line to Redis and a gateway of the test's."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from typing_extensions import override

from api_adapter.clients import CLIENT_ID, Clients
from api_adapter.taking import SendResult
from api_adapter.wiring import make_intake
from tests.crashes.network import Network, Sender
from tests.crashes.virtual_loop import VirtualLoop
from tests.crashes.wire import Fate, Wire, WiredRedis, answered
from tests.crashes.witness import Witness
from tests.fakes.callbacks import FakePoster
from tests.fakes.clock import FakeClock
from worker import assembly
from worker.assembly import Parts
from worker.bootstrap import services_on
from worker.contract.messages import Hint, Lane
from worker.holding import Held
from worker.settings import Settings

_MOST_CALLS = 500
"""Far beyond what a process asks of Redis before it has to wait for something else."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all processes share."""

    settings: Settings
    clock: FakeClock
    witness: Witness
    network: Network
    hints: list[Hint]
    poster: FakePoster


class Process:
    """A process that may be killed at any call to Redis."""

    def __init__(self, name: str, around: Surroundings) -> None:
        """Start with nothing to do."""
        self.name = name
        self.alive = True
        self.claim_ids: set[str] = set()
        self.loop = VirtualLoop(around.clock)
        self.wire = Wire(partial(around.witness.execute, self))
        self._around = around
        self.services = services_on(WiredRedis(self.wire), around.settings, around.clock)

    @property
    def in_hand(self) -> Sequence[Held]:
        """What it has claimed and not settled."""
        return ()

    @property
    def cursed(self) -> bool:
        """Whether it must do nothing any more."""
        return False

    def publish(self, hints: Sequence[Hint]) -> None:
        """Implement `ports.Hints`."""
        if self.alive:
            self._around.hints.extend(hints)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task and run on; that it fails is a bug."""
        task = self.loop.create_task(coroutine)
        task.add_done_callback(self._note_failure)
        self.loop.run_until_idle()
        return task

    def _note_failure(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._around.witness.faults.append(f"a task of {self.name} failed: {task.exception()!r}")

    def grant(self, index: int, fate: Fate) -> None:
        """Decide one of the calls to Redis under way, and run on."""
        self.wire.decide(index, fate)
        self.loop.run_until_idle()

    def work(self, next_fate: Callable[[], Fate] = answered) -> None:
        """Run on until there is nothing to do but to wait."""
        self.loop.run_until_idle()
        for _ in range(_MOST_CALLS):
            if not self.wire.calls or self.cursed:
                return
            self.grant(0, next_fate())
        raise AssertionError(f"{self.name} never stops asking Redis")

    def die(self) -> None:
        """Do nothing any more, from this very instant."""
        self.alive = False
        self.loop.bury()
        self.wire.calls.clear()


class Front(Process):
    """Takes sends."""

    def __init__(self, name: str, around: Surroundings) -> None:
        """Start with no caller."""
        super().__init__(name, around)
        self._intake = make_intake(self.services, Clients(self.services.clients, {}), self.services.users, self)

    def take(self, bodies: Sequence[bytes], lane: Lane, answered: Callable[[list[SendResult]], None]) -> None:
        """Begin to answer sends; whoever waits hears of the results, unless the process dies."""

        async def take() -> None:
            results = await self._intake.take({CLIENT_ID: "merchant-1"}, bodies, lane)
            if self.alive:
                answered(results)

        self.spawn(take())

    def flush(self, seconds: float) -> bool:
        """Have nothing to wait for, however many `seconds`."""
        return seconds > 0


class Worker(Process):
    """Delivers and sweeps: the whole loop of a worker process, put together by `assembly`."""

    def __init__(self, name: str, around: Surroundings) -> None:
        """Start its services."""
        super().__init__(name, around)
        timeout = around.settings.call_timeout / 1000
        self._sender = Sender(around.network, timeout, partial(around.witness.sending, self))
        parts = Parts(around.clock, self.services.ledger, self._sender, around.poster)
        self._dispatcher = assembly._dispatcher(self.services, parts, self, self._report)
        self._drained: asyncio.Task[None] | None = None
        self.spawn(self._start())

    async def _start(self) -> None:
        self._dispatcher.start()

    def _report(self) -> None:
        self._around.witness.faults.append(f"a service of {self.name} died")

    @property
    @override
    def in_hand(self) -> Sequence[Held]:
        """What it has claimed and not settled."""
        return list(self._dispatcher._holdings._held)

    @property
    @override
    def cursed(self) -> bool:
        """Whether it sent what it does not survive: it must do nothing any more."""
        return self._sender.cursed

    @property
    def slots_taken(self) -> int:
        """How many slots it counts as taken."""
        return self._dispatcher._slots.used

    @property
    def asked_to_end(self) -> bool:
        """Whether it got SIGTERM."""
        return self._drained is not None

    @property
    def drained(self) -> bool:
        """Whether it was asked to end and has."""
        return self._drained is not None and self._drained.done()

    def open_breaker(self, gateway: str, milliseconds: int) -> None:
        """Leave a gateway alone for a while."""
        self._dispatcher._delivery._router._breakers.of(gateway).open(milliseconds)

    def take(self, hint: Hint) -> None:
        """Hear of a hint."""
        self.spawn(self._dispatcher.take(hint))

    def drain(self, seconds: float) -> None:
        """Begin to end as on SIGTERM."""
        if self._drained is None:
            self._drained = self.spawn(self._dispatcher.drain(seconds))
