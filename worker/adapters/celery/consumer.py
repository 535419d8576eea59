"""Celery's consumer, as a worker of hints needs it: it comes back soon, and gives back at once what it can't finish."""

from collections.abc import Callable
from typing import Any

from celery.bootsteps import StartStopStep
from celery.utils.threads import bound_open_broker_sockets  # type: ignore[attr-defined]  # missing in the stubs
from celery.worker.consumer import Consumer
from kombu import Connection
from kombu.common import ignore_errors
from typing_extensions import override

from worker.clock import SystemClock
from worker.outage import Outage

_HEARTBEAT = 10
"""Seconds; asked of RabbitMQ alone."""
_PAUSES: dict[str, Any] = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2}


_LAST_WORDS = 2.0
"""Seconds that a broker may take to answer a worker that leaves; a BRPOP is answered within one."""


class HintConsumer(Consumer):
    """Consumes without gossip and mingle, whoever starts the worker, and reconnects within seconds."""

    def __init__(self, on_task_request: Callable[..., Any], **kwargs: Any) -> None:  # noqa: ANN401 - Celery's own
        """Take Celery's arguments."""
        kwargs["worker_options"] = {
            **(kwargs.get("worker_options") or {}),
            # Workers have nothing to tell each other: no election, no clock and no list of revoked tasks.
            "without_gossip": True,
            "without_mingle": True,
            # Heartbeats are events, for monitors such as Flower: sent where events were asked for (-E).
            "without_heartbeat": not kwargs.get("task_events"),
        }
        # `broker_heartbeat` is off, because publishers have nobody to send them; a consumer has its event loop.
        kwargs["amqheartbeat"] = kwargs.get("amqheartbeat") or _HEARTBEAT
        super().__init__(on_task_request, **kwargs)

    @override
    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, however long the broker is away, and within two seconds of its return."""
        patient: Any = conn
        connect = patient.ensure_connection
        outage = Outage("broker_unavailable", "broker_available_again", SystemClock(), broker=conn.as_uri())

        def connected(_tell: object = None, *arguments: object, **options: object) -> object:
            # Kombu's pauses grow to 30 s: after a long outage that is how long a worker would sit idle. Celery would
            # tell of each try.
            found = connect(lambda error, _pause: outage.goes_on(error), *arguments, **options, **_PAUSES)
            outage.ends()
            return found

        patient.ensure_connection = connected
        return super().ensure_connected(conn)

    @override
    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Let go of the connection."""
        # Kombu would put back what it had handed out over the broken connection, fail, and write it to a file in /tmp.
        # Those hints fall due in the ledger.
        tasks: Any = self.task_consumer  # type: ignore[attr-defined]  # set by Celery's own step
        if tasks is not None:
            tasks.channel.do_restore = False
        super().on_connection_error_after_connected(exc)


class GiveBack(StartStopStep):
    """Step of the worker: at its end, others get at once what this worker was handed and has not begun."""

    @override
    def close(self, parent: Any) -> None:
        """Stop consuming, tell the children to drain, and put prefetched hints back on the broker.

        In this order: what the children give back is hinted again, and must not come here.
        """
        tasks = parent.consumer.task_consumer
        if tasks is not None:
            bound_open_broker_sockets(parent.consumer.connection, _LAST_WORDS)
            ignore_errors(parent.consumer, tasks.cancel)
        parent.app.vitals.stop()
        if tasks is not None:
            # Celery itself would close it after the drain. On Redis a BRPOP under way is waited for, a second at most:
            # what it takes is put back.
            ignore_errors(parent.consumer, tasks.channel.close)
