"""A worker that a signal turns deaf: connected, alive, answering `inspect ping`, and taking no hint any more.

Run it as `celery -A api_adapter.drill.deafness worker`. SIGUSR2 deafens it until it reconnects; with
`TIDINGS_SABOTAGE_DEAF=for good` in the environment, until it ends. The fault is that of a worker whose prefetch credit
leaked: the consumer believes that it may take nothing.
"""

import os
import signal
from typing import Any

import structlog
from celery import signals
from celery.bootsteps import StartStopStep
from celery.worker.consumer import Consumer
from typing_extensions import override

from worker.celery import app

__all__ = ["app"]

log = structlog.get_logger(__name__)


class Deaf(StartStopStep):
    """Step of the consumer: once it is deaf for good, so is each new connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    for_good = False

    @override
    def start(self, parent: Any) -> None:
        """Deafen the consumer that was just made."""
        if Deaf.for_good:
            deafen(parent)


def deafen(consumer: Any) -> None:  # noqa: ANN401 - Celery's consumer
    """Let a worker's consumer take no hint any more; its connection, and what it is doing, goes on."""
    consumer.task_consumer.channel.qos.can_consume = lambda: False


def on_signal(consumer: Any) -> None:  # noqa: ANN401 - as above
    """Deafen a worker, and tell whoever waits for it in the log."""
    Deaf.for_good = os.environ.get("TIDINGS_SABOTAGE_DEAF") == "for good"
    deafen(consumer)
    log.warning("deaf_from_now_on")


def listen(sender: Consumer, **_: object) -> None:
    """Heed the signal once the worker consumes."""
    signal.signal(signal.SIGUSR2, lambda *_: on_signal(sender))


app.steps["consumer"].add(Deaf)
signals.worker_ready.connect(listen, weak=False)
