"""A worker that a signal turns deaf: connected, alive, answering `inspect ping`, and taking no hint any more.

Run it as `celery -A tests.deaf_worker worker`. SIGUSR2 deafens it until it reconnects; with `DEAF=for good` in the
environment, until it ends. The fault is that of a worker whose prefetch credit leaked: the consumer believes that it
may take nothing.
"""

import os
import signal
from typing import Any

from celery import signals
from celery.bootsteps import StartStopStep
from celery.worker.consumer import Consumer
from typing_extensions import override

from worker.celery import app

__all__ = ["app", "deafen"]


class Deaf(StartStopStep):
    """Step of the consumer: once it is deaf for good, so is each new connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    for_good = False

    @override
    def start(self, parent: Any) -> None:
        """Deafen the consumer that was just made."""
        if Deaf.for_good:
            deafen(parent)


def deafen(consumer: Any) -> None:  # noqa: ANN401 - as above
    """Let a worker's consumer take no hint any more; its connection, and what it is doing, goes on."""
    consumer.task_consumer.channel.qos.can_consume = lambda: False


def on_signal(consumer: Any) -> None:  # noqa: ANN401 - as above
    Deaf.for_good = os.environ.get("DEAF") == "for good"
    deafen(consumer)
    print("deaf from now on", flush=True)  # noqa: T201 - for whoever waits for it


def listen(sender: Consumer, **_: object) -> None:
    signal.signal(signal.SIGUSR2, lambda *_: on_signal(sender))


app.steps["consumer"].add(Deaf)
signals.worker_ready.connect(listen, weak=False)
