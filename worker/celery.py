"""The entry module of `celery -A worker worker`: reads the settings when the app is first used, not on import."""

import atexit
from contextlib import ExitStack
from typing import Any

from celery import Celery, signals

from worker.adapters.celery.app import ProcessLoops, publisher, register_delivery
from worker.adapters.celery.configuration import configuration
from worker.adapters.celery.loop import DeliveryLoop
from worker.adapters.telemetry.logs import configure_logs
from worker.bootstrap import Addresses, opener, stores
from worker.settings import Settings, read_settings


class WorkerApp(Celery):
    """A Celery app that finds settings and stores when its configuration is first needed."""

    settings: Settings
    addresses: Addresses

    def on_configure(self) -> None:
        """Read the settings and start the embedded Valkey if they name no Redis; it is left when this process ends."""
        self.settings = read_settings()
        leaving = ExitStack()
        self.addresses = leaving.enter_context(stores(self.settings))
        atexit.register(leaving.close)
        self.config_from_object(configuration(self.addresses.broker_url))

    def make_loop(self) -> DeliveryLoop:
        """Start a delivery loop in this process."""
        hints = publisher(self)
        open_dispatcher = opener(self.settings, self.addresses, hints)
        return DeliveryLoop(open_dispatcher, self.settings.drain_timeout, self.settings.grace, hints.flush)


def _set_up_logs(**_: Any) -> None:  # noqa: ANN401 - Celery's signal arguments
    app.conf.get("broker_url")
    configure_logs(app.settings.log_format, app.settings.log_level)


app = WorkerApp("tidings")
register_delivery(app, ProcessLoops(app.make_loop))
signals.setup_logging.connect(_set_up_logs, weak=False)
