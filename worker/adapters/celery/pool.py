"""Celery's prefork pool, as a worker of hints needs it: it ends in time, whatever its children are doing."""

import os
import signal
import threading
from contextlib import suppress
from typing import Any

import structlog
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.asynpool import Worker as AsynWorker
from celery.concurrency.prefork import TaskPool
from typing_extensions import override

_LEAVING = 5.0
"""Seconds on top of the drain for sending off the last hints and for Celery's own goodbye, which takes one."""

_BURIAL = 0.2
"""Seconds between a process' last sign and its being gone."""

log = structlog.get_logger(__name__)


class Child(AsynWorker):
    """A child that does not wait for its results to be read: they say nothing, and at the end nobody reads them."""

    def _ensure_messages_consumed(self, completed: int) -> bool:  # noqa: ARG002 - billiard's signature
        # Celery drops jobs that were not accepted when it stops consuming, and stops reading results once it knows of
        # no other. A child that ran such a job all the same would wait 30 s, before its loop even hears of the end.
        return True


class Children(AsynPool):
    """The processes of the pool. One that is killed is replaced at once."""

    Worker = Child

    def _event_process_exit(self, hub: Any, proc: Any) -> None:  # noqa: ANN401 - Celery's own
        super()._event_process_exit(hub, proc)  # type: ignore[misc]  # missing in the stubs
        # A killed process closes its files before it can be waited for: Celery, told by the first, finds it alive then,
        # and looks again only once in five seconds.
        hub.call_later(_BURIAL, self.maintain_pool)


class DeliveryPool(TaskPool):
    """Ends once its children have drained, and kills what is left after that."""

    Pool = Children

    @override
    def on_stop(self) -> None:
        """Wait for the children, at most for the drain and a few seconds."""
        killing = threading.Timer(self.app.drain + _LEAVING, self._kill)
        killing.daemon = True
        killing.start()
        try:
            super().on_stop()
        finally:
            killing.cancel()

    def children(self) -> list[tuple[int, int]]:
        """Return number and process id of each child."""
        pool: Any = getattr(self, "_pool", None)
        return [(child.index, child.pid) for child in list(pool._pool)] if pool else []  # noqa: SLF001 - the one way

    def _kill(self) -> None:
        for _, pid in self.children():
            log.error("child_killed_at_stop", child=pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
