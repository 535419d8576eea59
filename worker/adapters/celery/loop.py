"""The asyncio loop that lives in a worker process beside Celery's own loop, in a thread (DESIGN, Flow)."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog
import uvloop

from worker.adapters.celery.vitals import Pulse
from worker.contract.messages import CHUNK, Hint, Lane
from worker.dispatch import Dispatcher
from worker.ports import Hints

_FLUSH_SECONDS = 2
_BEAT_SECONDS = 0.1
_EX_SOFTWARE = 70

log = structlog.get_logger(__name__)

Opener = Callable[[Callable[[], None]], AbstractAsyncContextManager[Dispatcher]]
"""Opens a Dispatcher inside the running loop; gets what ends the process when a service of it died."""


class Outbox(Hints, Protocol):
    """Hints on their way to the broker."""

    def flush(self, seconds: float) -> bool:
        """Wait until everything was handed to the broker, at most for so long; say whether it was."""
        ...


@dataclass(frozen=True, slots=True)
class Times:
    """How long the loop waits for things, in milliseconds."""

    drain: int
    """To finish what is in hand, once it was told to stop."""
    patience: int
    """Of Celery's thread with a hint that can't be handed in yet."""
    wait: int
    """For slots: less than the grace after which a hint is repeated."""


class Ahead:
    """Bounds what waits for slots in one lane: a chunk of ids, or one task. Safe in any thread.

    Within it Celery's thread waits for nothing: that costs it two changes of threads a task, each of which may take as
    long as the other thread likes to compute. More would only keep hints from other processes.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self._changed = threading.Condition()
        self._ids = 0

    def take(self, ids: int, seconds: float) -> bool:
        """Wait until so many more may wait for slots; say whether they may, after so many seconds at most."""
        with self._changed:
            may = self._changed.wait_for(lambda: not self._ids or self._ids + ids <= CHUNK, seconds)
            self._ids += ids if may else 0
        return may

    def leave(self, ids: int) -> None:
        """Note that so many wait no more."""
        with self._changed:
            self._ids -= ids
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Running:
    """What is reached from other threads once the loop runs."""

    loop: asyncio.AbstractEventLoop
    dispatcher: Dispatcher


class DeliveryLoop:
    """Runs one Dispatcher in a thread of this process, until the worker or `stop` says so."""

    def __init__(self, open_dispatcher: Opener, times: Times, hints: Outbox, pulse: Pulse) -> None:
        """Start the thread; it becomes ready by itself, however long the ledger is away.

        Args:
            open_dispatcher: opens the Dispatcher inside the thread's loop.
            times: how long it waits.
            hints: takes what this loop can't take any more; flushed when everything is done.
            pulse: where the loop shows that it lives, and hears that the worker stops.

        """
        self._open = open_dispatcher
        self._drain = times.drain / 1000
        self._patience = times.patience / 1000
        self._wait = times.wait / 1000
        self._hints = hints
        self._pulse = pulse
        self._stopping = threading.Event()
        self._ahead = {lane: Ahead() for lane in Lane}
        self._running: Future[Running] = Future()
        self._thread = threading.Thread(target=self._run, name="delivery-loop", daemon=True)
        self._thread.start()

    def take(self, hints: Sequence[Hint]) -> None:
        """Hand hints of one lane to the loop; where some wait for slots already, return once those have them.

        What finds no slot in time goes back to the broker, for whoever has room first. A loop that stops takes nothing:
        it hands the hints on to other workers.
        """
        if self._stopping.is_set():
            self._hints.publish(hints)
            return
        try:
            running = self._running.result(self._patience)
        except TimeoutError:
            log.warning("hints_dropped_not_ready", messages=_size(hints))
            return
        ahead = self._ahead[hints[0].lane]
        if not ahead.take(_size(hints), self._patience):
            self._give_back(hints)
            return
        taking = asyncio.run_coroutine_threadsafe(self._find_slots(running.dispatcher, hints), running.loop)
        taking.add_done_callback(lambda _: ahead.leave(_size(hints)))

    def stop(self) -> None:
        """Drain: finish what is in hand, then end the thread. A loop that never became ready holds nothing."""
        self._stopping.set()
        if not self._running.done():
            return
        self._thread.join(self._drain + _FLUSH_SECONDS)
        self._hints.flush(_FLUSH_SECONDS)

    async def _find_slots(self, dispatcher: Dispatcher, hints: Sequence[Hint]) -> None:
        left = list(hints)
        try:
            async with asyncio.timeout(self._wait):
                while left:
                    await dispatcher.take(left[0])
                    del left[0]
        except TimeoutError:
            self._give_back(left)
        except asyncio.CancelledError:  # the loop ended while they waited for slots
            self._hints.publish(left)
            raise

    def _give_back(self, hints: Sequence[Hint]) -> None:
        """Let others have what finds no slot here. Dropped, it would wait for a grace, and then for twice as long."""
        log.info("hints_given_back", messages=_size(hints))
        self._hints.publish(hints)

    def _run(self) -> None:
        try:
            uvloop.run(self._main())
        except BaseException:
            log.exception("delivery_loop_died")
            end_process()

    async def _main(self) -> None:
        beating = asyncio.create_task(self._beat())
        async with self._open(end_process) as dispatcher:
            dispatcher.start()
            self._running.set_result(Running(asyncio.get_running_loop(), dispatcher))
            while not self._stopping.is_set():  # noqa: ASYNC110 - set by other threads and by another process
                await asyncio.sleep(_BEAT_SECONDS)
            await dispatcher.drain(self._drain)
        beating.cancel()

    async def _beat(self) -> None:
        """Show that this loop runs, also while it waits for the ledger and while it drains."""
        beats = 0
        while True:
            beats += 1
            self._pulse.beat(beats)
            if self._pulse.stopping:
                self._stopping.set()
            await asyncio.sleep(_BEAT_SECONDS)


def _size(hints: Sequence[Hint]) -> int:
    return sum(len(hint.message_ids) for hint in hints)


def end_process() -> None:
    """End this process at once, without clean-up: its leases run out and others go on."""
    os._exit(_EX_SOFTWARE)
