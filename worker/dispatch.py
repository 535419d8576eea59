"""The long-lived delivery loop of one worker process: takes hints while slots are free, and drains at the end."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine

import structlog

from worker.appetite import Appetite
from worker.batching import chunks
from worker.callbacks.delivering import CallbackDeliverer
from worker.contract.answers import AnswerKind
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Hint, HintKind
from worker.delivery import Delivery
from worker.gate import Gate
from worker.holding import Held, Holdings, hints_of
from worker.ports import Hints
from worker.settling import Settler
from worker.slots import Slots
from worker.sweeping import Sweeper

_RENEWALS_A_LEASE = 3
_MOST_SUSPECTS = 200
"""Hints of suspects that may wait in one process."""

log = structlog.get_logger(__name__)


class Dispatcher:
    """Runs deliveries side by side within the slots, beside settler, sweeper, lease renewal and callbacks."""

    def __init__(  # noqa: PLR0913 - the parts of one process' loop
        self,
        *,
        delivery: Delivery,
        settler: Settler,
        sweeper: Sweeper,
        holdings: Holdings,
        slots: Slots,
        appetite: Appetite,
        hints: Hints,
        gate: Gate,
        callbacks: CallbackDeliverer,
        lease: int,
        died: Callable[[], None],
    ) -> None:
        """Keep the parts; `lease` is in milliseconds, `died` ends a process whose services failed.

        `hints` takes what is given back at the end, for other workers.
        """
        self._delivery = delivery
        self._settler = settler
        self._sweeper = sweeper
        self._holdings = holdings
        self._slots = slots
        self._appetite = appetite
        self._hints = hints
        self._gate = gate
        self._callbacks = callbacks
        self._died = died
        self._draining = False
        self._renew_every = lease / 1000 / _RENEWALS_A_LEASE
        self._moved = asyncio.Event()
        self._services: list[asyncio.Task[None]] = []
        self._deliveries: set[asyncio.Task[None]] = set()
        settler.wire(self._settled)

    def start(self) -> None:
        """Start the services; call it inside the running loop."""
        delivering = self._settler.run, self._sweeper.run, self._sweeper.run_releases, self._renew
        for service in (*delivering, self._callbacks.run, self._callbacks.run_settling):
            self._services.append(asyncio.create_task(self._guarded(service)))

    async def take(self, hint: Hint) -> None:
        """Return once the hint's messages have slots; they are delivered meanwhile. While draining, hand it on.

        Suspects need none: nothing else is in hand then. More of them than may wait here fall due again elsewhere.
        """
        if hint.kind is not HintKind.NORMAL:
            self._take_suspects(hint)
            return
        for ids in chunks(hint.message_ids, self._slots.most_at_once):
            part = Hint(hint.lane, hint.shard, tuple(ids))
            await self._slots.take(hint.lane, len(ids))
            if self._draining:
                self._slots.free(hint.lane, len(ids))
                self._hints.publish([part])
                continue
            self._start(self._deliver_normal(part))

    def _take_suspects(self, hint: Hint) -> None:
        if self._draining:
            self._hints.publish([hint])
        elif self._gate.suspects_waiting < _MOST_SUSPECTS:
            self._start(self._deliver_suspects(hint))

    async def drain(self, seconds: float) -> None:
        """Finish the calls in flight, at most for so long; what is left comes back when its lease ends.

        What was not sent yet is due at once, and hinted again: other workers need not wait for a lease or a sweep.
        """
        self._draining = True
        self._sweeper.stop()
        self._delivery.stop_sending()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(self._until_empty(), self._callbacks.drain())
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        log.info("drained", messages_left=len(self._holdings))

    async def _until_empty(self) -> None:
        while self._deliveries or len(self._holdings):
            self._moved.clear()
            await self._moved.wait()

    def _start(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._delivery_ended)

    def _delivery_ended(self, task: "asyncio.Task[None]") -> None:
        self._deliveries.discard(task)
        self._moved.set()

    async def _deliver_suspects(self, hint: Hint) -> None:
        await self._gate.enter(hint.kind, len(hint.message_ids))
        self._slots.seize(hint.lane, len(hint.message_ids))
        await self._deliver(hint)

    async def _deliver_normal(self, hint: Hint) -> None:
        await self._gate.enter(hint.kind, len(hint.message_ids))
        await self._deliver(hint)

    async def _deliver(self, hint: Hint) -> None:
        held = 0
        try:
            if self._draining:  # it waited at the gate until now
                self._hints.publish([hint])
            else:
                held = await self._delivery.deliver(hint)
        except LedgerUnavailableError as error:
            log.warning("claim_failed", messages=len(hint.message_ids), reason=str(error))
        except Exception:
            # A bug that this chunk met: its leases run out and its messages are tried again, alone in the end.
            log.exception("delivery_broke", messages=len(hint.message_ids))
        finally:
            self._slots.free(hint.lane, len(hint.message_ids) - held)
            self._gate.leave(len(hint.message_ids) - held)

    def _settled(self, batch: list[Held]) -> None:
        self._holdings.remove(batch)
        if self._draining:
            self._hints.publish(hints_of([one for one in batch if one.has_answer(AnswerKind.NOT_SENT)]))
        self._appetite.settled(len(batch))
        for lane, number in Counter(one.lane for one in batch).items():
            self._slots.free(lane, number)
        self._gate.leave(len(batch))
        self._sweeper.room_may_be_free()
        self._callbacks.look_soon()
        self._moved.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._renew_every)
            await self._holdings.renew()

    async def _guarded(self, service: Callable[[], Awaitable[None]]) -> None:
        try:
            await service()
        except Exception:
            # A process whose settler is dead would take work and never end it: its leases run out, others go on.
            log.exception("service_died")
            self._died()
