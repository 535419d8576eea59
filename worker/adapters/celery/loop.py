"""The asyncio loop that lives in a worker process beside Celery's own loop, in a thread (DESIGN, Flow)."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
import uvloop

from worker.contract.messages import Hint
from worker.dispatch import Dispatcher

_FLUSH_SECONDS = 2
_EX_SOFTWARE = 70

log = structlog.get_logger(__name__)

Opener = Callable[[Callable[[], None]], AbstractAsyncContextManager[Dispatcher]]
"""Opens a Dispatcher inside the running loop; gets what ends the process when a service of it died."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is reached from other threads once the loop runs."""

    loop: asyncio.AbstractEventLoop
    dispatcher: Dispatcher
    stopping: asyncio.Event


class DeliveryLoop:
    """Runs one Dispatcher in a thread of this process."""

    def __init__(
        self,
        open_dispatcher: Opener,
        drain_timeout: int,
        patience: int,
        flush: Callable[[float], object],
    ) -> None:
        """Start the thread; it becomes ready by itself, however long the ledger is away.

        Args:
            open_dispatcher: opens the Dispatcher inside the thread's loop.
            drain_timeout: how long `stop` finishes what is in hand, in milliseconds.
            patience: how long a hint waits for slots, in milliseconds.
            flush: sends off the hints that wait when everything is done, given the seconds that may take.

        """
        self._flush = flush
        self._open = open_dispatcher
        self._drain = drain_timeout / 1000
        self._patience = patience / 1000
        self._running: Future[Running] = Future()
        self._thread = threading.Thread(target=self._run, name="delivery-loop", daemon=True)
        self._thread.start()

    def take(self, hint: Hint) -> None:
        """Return once the hint's messages have slots, or drop it: what finds no slot in time falls due again."""
        try:
            running = self._running.result(self._patience)
        except TimeoutError:
            log.warning("hint_dropped_not_ready", messages=len(hint.message_ids))
            return
        taking = asyncio.run_coroutine_threadsafe(running.dispatcher.take(hint), running.loop)
        try:
            taking.result(self._patience)
        except TimeoutError:
            taking.cancel()
            log.info("hint_dropped_no_slots", messages=len(hint.message_ids))

    def stop(self) -> None:
        """Drain: finish what is in hand, then end the thread. A loop that never became ready holds nothing."""
        if not self._running.done():
            return
        running = self._running.result()
        running.loop.call_soon_threadsafe(running.stopping.set)
        self._thread.join(self._drain + _FLUSH_SECONDS)
        self._flush(_FLUSH_SECONDS)

    def _run(self) -> None:
        try:
            uvloop.run(self._main())
        except BaseException:
            log.exception("delivery_loop_died")
            end_process()

    async def _main(self) -> None:
        async with self._open(end_process) as dispatcher:
            stopping = asyncio.Event()
            dispatcher.start()
            self._running.set_result(Running(asyncio.get_running_loop(), dispatcher, stopping))
            await stopping.wait()
            await dispatcher.drain(self._drain)


def end_process() -> None:
    """End this process at once, without clean-up: its leases run out and others go on."""
    os._exit(_EX_SOFTWARE)
