"""Notices a worker that lives and does not work, and recycles it: first its connection, then the whole of it.

It looks from a thread of its own, over a connection of its own, so that nothing it judges can stop it. It counts looks,
not seconds: a machine that slept, or a worker that was stopped and continued, is no fault.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

import structlog
from celery.bootsteps import StartStopStep
from celery.worker import state
from kombu import Connection
from typing_extensions import override

from worker.adapters.celery.delivering import LOOK_EVERY
from worker.contract.exits import RECYCLED

_LEAVING = 10.0
"""Seconds on top of the drain after which a worker that was told to end is ended."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Glance:
    """What the watchdog sees of a worker whose broker answers."""

    taken: int
    """Tasks that reached its children so far."""
    waiting: int
    """Hints in the queues that it consumes."""
    free: bool
    """Whether it could take one more."""


class Remedy(Enum):
    """What has to be done about a worker."""

    NONE = "none"
    RECONNECT = "reconnect"
    RECYCLE = "recycle"


class Diagnosis:
    """Judges a worker by one glance after the other. Pure."""

    def __init__(self, patience: int) -> None:
        """Act after so many glances in a row at an idle worker before whom hints wait."""
        self._patience = patience
        self._taken = -1
        self._idle = 0
        self._reconnected = False

    def judge(self, glance: Glance | None) -> Remedy:
        """Return what to do; None is a broker that does not answer: nothing can be said of the worker then."""
        if glance is None or glance.taken != self._taken or not glance.waiting or not glance.free:
            self._taken = glance.taken if glance else self._taken
            self._idle, self._reconnected = 0, False
            return Remedy.NONE
        self._idle += 1
        if self._idle < self._patience:
            return Remedy.NONE
        self._idle = 0
        if self._reconnected:
            return Remedy.RECYCLE
        self._reconnected = True
        return Remedy.RECONNECT


class Hearts:
    """Judges the loops of the children by their beats. Pure."""

    def __init__(self, patience: int) -> None:
        """A loop that did not beat for so many looks in a row hangs."""
        self._patience = patience
        self._seen: dict[int, int] = {}
        self._still: Counter[int] = Counter()

    def hanging(self, beats: Mapping[int, int | None]) -> list[int]:
        """Return the process ids whose loops hang; None is one that has not begun to beat: Celery looks after those."""
        still = [pid for pid, number in beats.items() if number is not None and self._seen.get(pid) == number]
        self._still = Counter({pid: self._still[pid] + 1 for pid in still})
        self._seen = {pid: number for pid, number in beats.items() if number is not None}
        found = [pid for pid, looks in self._still.items() if looks >= self._patience]
        for pid in found:
            del self._still[pid]  # told; again only if it is still there after as many looks
        return found


class Queues:
    """Counts the hints that wait for a worker."""

    def __init__(self, connect: Callable[[], Connection], names: Callable[[], list[str]]) -> None:
        """Take what makes a connection, and what names the queues; connects at the first count."""
        self._connect = connect
        self._names = names
        self._connection: Connection | None = None
        self._channel: Any = None

    def waiting(self) -> int | None:
        """Return how many hints wait; None where the broker does not answer."""
        try:
            return sum(self._size(name) for name in self._names())
        except Exception as error:  # noqa: BLE001 - each broker's client has errors of its own; any means: no answer
            log.debug("watchdog_has_no_broker", reason=type(error).__name__)
            self.close()
            return None

    def close(self) -> None:
        """Leave the broker."""
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.release()

    def _size(self, name: str) -> int:
        if self._connection is None:
            self._connection = self._connect()
            self._connection.connect()
        if self._channel is None:
            self._channel = self._connection.channel()
        # RabbitMQ is asked without declaring anything. On Redis nothing is ever declared, and kombu (5.7) looks for the
        # queue without its key prefix when asked so.
        passive = self._connection.transport.driver_type == "amqp"
        try:
            return int(self._channel.queue_declare(queue=name, passive=passive).message_count)
        except self._connection.channel_errors:  # it is not there, and RabbitMQ has closed the channel
            self._channel = None
            return 0


class Watchdog(StartStopStep):
    """Step of the worker that watches it."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's own
        """Take Celery's worker."""
        super().__init__(parent, **kwargs)
        app = parent.app
        self.enabled = app.patience > 0
        self._diagnosis = Diagnosis(app.patience)
        self._hearts = Hearts(app.patience)
        self._queues = Queues(app.connection_for_read, lambda: list(app.amqp.queues.consume_from))
        self._ended = threading.Event()

    @override
    def start(self, parent: Any) -> None:
        """Begin to look."""
        threading.Thread(target=self._watch, args=(parent,), name="watchdog", daemon=True).start()

    @override
    def close(self, parent: Any) -> None:
        """Look no more: a worker that stops may be idle."""
        self._ended.set()

    @override
    def stop(self, parent: Any) -> None:
        """Do nothing more than `close` did."""

    terminate = stop

    def _watch(self, worker: Any) -> None:  # noqa: ANN401 - Celery's worker
        while not self._ended.wait(LOOK_EVERY):
            try:
                self._look(worker)
            except Exception:
                log.exception("watchdog_failed")
        self._queues.close()

    def _look(self, worker: Any) -> None:  # noqa: ANN401 - as above
        kill_hanging(self._hearts, worker)
        match self._diagnosis.judge(glance(worker, self._queues)):
            case Remedy.RECONNECT:
                log.warning("watchdog_reconnects", advice="hints wait and none was taken: the consumer is recycled")
                worker.consumer.call_soon(_lose_connection)
            case Remedy.RECYCLE:
                log.error("watchdog_ends_worker", exit_code=RECYCLED, advice="to be started again by its supervisor")
                recycle(worker)
                self._ended.set()
            case Remedy.NONE:
                pass


def glance(worker: Any, queues: Queues) -> Glance | None:  # noqa: ANN401 - Celery's worker
    """Look at a worker; None where its broker does not answer."""
    waiting = queues.waiting()
    if waiting is None:
        return None
    reserved, most = len(state.reserved_requests), worker.consumer.max_prefetch_count
    return Glance(taken=sum(state.total_count.values()), waiting=waiting, free=not most or reserved < most)


def kill_hanging(hearts: Hearts, worker: Any) -> None:  # noqa: ANN401 - as above
    """Kill children whose loops hang; Celery starts others. Pools without processes have no children."""
    children: list[tuple[int, int]] = getattr(worker.pool, "children", list)()
    vitals = worker.app.vitals
    for pid in hearts.hanging({pid: vitals.beats(child, pid) for child, pid in children}):
        log.error("watchdog_kills_child", child=pid, advice="its loop hangs; its messages come back as leases end")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def recycle(worker: Any) -> None:  # noqa: ANN401 - as above
    """End the worker gracefully if it still can, and anyhow in time, with an exit code of its own."""
    patience = worker.app.drain + _LEAVING
    ending = threading.Timer(patience, os._exit, (RECYCLED,))
    ending.daemon = True
    ending.start()
    state.should_stop = RECYCLED  # type: ignore[assignment]  # an exit code, as in Celery's own signal handlers
    worker.consumer.call_soon(lambda: None)


def _lose_connection() -> NoReturn:
    raise ConnectionError("the watchdog recycles the consumer")
