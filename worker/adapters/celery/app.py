"""The Celery application: one task, which hands hints to this process' delivery loop."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery, signals
from celery.utils.nodenames import default_nodename, nodename, nodesplit

from worker.adapters.celery.brokers import check_broker
from worker.adapters.celery.configuration import DELIVER_TASK, configuration
from worker.adapters.celery.consumer import GiveBack
from worker.adapters.celery.hints import HintPublisher
from worker.adapters.celery.interrupts import Interrupts, tell_haste
from worker.adapters.celery.loop import DeliveryLoop
from worker.adapters.celery.watchdog import Watchdog
from worker.contract.messages import Hint, HintKind, Lane

_ONCE_MORE: Any = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
"""A connection that broke while nobody used it is made anew; then the hint is dropped and falls due in the ledger."""

LoopFactory = Callable[[], DeliveryLoop]


class HintSender:
    """Puts hints of one lane on the broker as one Celery task; safe in any thread."""

    def __init__(self, app: Celery) -> None:
        """Keep the app; connects at the first hint."""
        self._app = app

    def __call__(self, hints: Sequence[Hint]) -> None:
        """Send them; raises what kombu raises."""
        lane = hints[0].lane
        self._app.send_task(
            DELIVER_TASK,
            args=(lane, [(hint.shard, hint.message_ids, hint.kind) for hint in hints]),
            queue=lane,
            retry=True,
            retry_policy=_ONCE_MORE,
            ignore_result=True,
        )


def publishing_app(broker_url: str) -> Celery:
    """Return an app that publishes hints and consumes nothing, for intake; raise SettingsError as `check_broker`."""
    check_broker(broker_url)
    app = Celery("tidings", set_as_current=False)
    app.config_from_object(configuration(broker_url))
    return app


def publisher(app: Celery) -> HintPublisher:
    """Return a publisher of hints through an app."""
    return HintPublisher(HintSender(app))


class ProcessLoops:
    """The delivery loop of the process that runs tasks: a prefork child, or the worker itself in other pools."""

    def __init__(self, make_loop: LoopFactory) -> None:
        """Keep the factory; a loop is made when a child starts or with the first task."""
        self._make_loop = make_loop
        self._loop: DeliveryLoop | None = None
        self._pid = 0

    def current(self) -> DeliveryLoop:
        """Return this process' loop, starting it if there is none."""
        if self._loop is None or self._pid != os.getpid():
            self._loop, self._pid = self._make_loop(), os.getpid()
        return self._loop

    def stop(self) -> None:
        """Drain this process' loop, if it has one."""
        if self._loop is not None and self._pid == os.getpid():
            self._loop.stop()
            self._loop = None


def register_delivery(app: Celery, loops: ProcessLoops) -> None:
    """Give an app the delivery task, and tie the loop's life to the process that runs it."""

    @app.task(name=DELIVER_TASK, ignore_result=True, shared=False)
    def deliver(lane: str, hints: list[tuple[int, list[str], str]]) -> None:
        loops.current().take([Hint(Lane(lane), shard, tuple(ids), HintKind(kind)) for shard, ids, kind in hints])

    def start(**_: object) -> None:
        loops.current()

    def stop(**_: object) -> None:
        loops.stop()

    app.steps["worker"].update({GiveBack, Interrupts, Watchdog})
    signals.celeryd_init.connect(name_apart, weak=False)
    signals.worker_process_init.connect(start, weak=False)
    signals.worker_process_shutdown.connect(stop, weak=False)
    signals.worker_shutdown.connect(stop, weak=False)
    # After `stop`: in pools without children that is where it drains.
    signals.worker_shutdown.connect(tell_haste, weak=False)


def name_apart(instance: Any, **_: object) -> None:  # noqa: ANN401 - Celery's worker
    """Give a worker without a name of its own (`-n`) one that no other worker of this host has.

    `inspect ping` counts names: workers of the same name would be one worker to it.
    """
    if instance.hostname == default_nodename(""):
        host = nodesplit(instance.hostname)[1]
        instance.hostname = nodename(f"tidings-{os.getpid()}", host)
