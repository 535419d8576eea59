"""The asyncio loop that lives in a worker process beside Celery's own loop, in a thread (DESIGN, Flow)."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager

import structlog
import uvloop

from worker.contract.messages import Hint
from worker.dispatch import Dispatcher

_START_TIMEOUT = 30
_FLUSH_SECONDS = 2
_EX_SOFTWARE = 70

log = structlog.get_logger(__name__)

Opener = Callable[[Callable[[], None]], AbstractAsyncContextManager[Dispatcher]]
"""Opens a Dispatcher inside the running loop; gets what ends the process when a service of it died."""


class DeliveryLoop:
    """Runs one Dispatcher in a thread of this process."""

    def __init__(
        self,
        open_dispatcher: Opener,
        drain_timeout: int,
        patience: int,
        flush: Callable[[float], object],
    ) -> None:
        """Start the thread.

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
        self._ready: Future[tuple[asyncio.AbstractEventLoop, Dispatcher, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="delivery-loop", daemon=True)
        self._thread.start()
        self._loop, self._dispatcher, self._stopping = self._ready.result(_START_TIMEOUT)

    def take(self, hint: Hint) -> None:
        """Return once the hint's messages have slots, or drop it: what finds no slot in time falls due again."""
        taking = asyncio.run_coroutine_threadsafe(self._dispatcher.take(hint), self._loop)
        try:
            taking.result(self._patience)
        except TimeoutError:
            taking.cancel()
            log.info("hint_dropped_no_slots", messages=len(hint.message_ids))

    def stop(self) -> None:
        """Drain: finish what is in hand, then end the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(self._drain + _START_TIMEOUT)
        self._flush(_FLUSH_SECONDS)

    def _run(self) -> None:
        try:
            uvloop.run(self._main())
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            else:
                log.exception("delivery_loop_died")
                _end_process()

    async def _main(self) -> None:
        async with self._open(_end_process) as dispatcher:
            stopping = asyncio.Event()
            dispatcher.start()
            self._ready.set_result((asyncio.get_running_loop(), dispatcher, stopping))
            await stopping.wait()
            await dispatcher.drain(self._drain)


def _end_process() -> None:
    os._exit(_EX_SOFTWARE)
