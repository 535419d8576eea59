"""The entry module of `celery -A worker worker`: reads the settings when the app is first used, not on import."""

import asyncio
import atexit
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import Any, NoReturn

import structlog
from celery import signals
from celery.bin.celery import celery as command
from celery.utils.log import current_process_index  # type: ignore[attr-defined]  # missing in the stubs

from worker.adapters.celery.app import ProcessLoops, publisher, register_delivery
from worker.adapters.celery.brokers import check_broker
from worker.adapters.celery.configuration import worker_configuration
from worker.adapters.celery.delivering import DeliveringApp
from worker.adapters.celery.loop import DeliveryLoop, Times
from worker.adapters.celery.own_words import speak_in_log_lines
from worker.adapters.celery.vitals import Vitals
from worker.adapters.telemetry.logs import configure_logs
from worker.assembly import Fitting, opener
from worker.bootstrap import Addresses, check_ledger, examine_stores, stores
from worker.contract.errors import LedgerMismatchError, SettingsError, TidingsError
from worker.contract.exits import UNUSABLE
from worker.settings import Settings, read_settings

log = structlog.get_logger(__name__)

_PATIENCE = 200
"""Milliseconds that a hint may keep Celery's thread of a child: behind it may be one of the other lane."""
_WAIT = 2_000
"""Milliseconds that hints may wait for slots: less than the grace after which they are repeated."""


class Installation:
    """The settings and stores of this worker, found when Celery first asks for its configuration."""

    settings: Settings
    addresses: Addresses

    def __init__(self, app: DeliveringApp) -> None:
        """Wait for the app to be used."""
        self._app = app
        self._fitting = Fitting()
        app.on_configure.connect(self.configure, weak=False)

    def fit(self, fitting: Fitting) -> None:
        """Let the delivery loops of this worker work with other parts; to be said before it runs."""
        self._fitting = fitting

    def configure(self, **_: object) -> None:
        """Read the settings and start the embedded Valkey if they name no Redis; it is left when this process ends."""
        try:
            self.settings = read_settings()
            if self.settings.broker_url:
                check_broker(self.settings.broker_url)
        except SettingsError as error:
            _leave(error)
        leaving = ExitStack()
        self.addresses = leaving.enter_context(stores(self.settings))
        atexit.register(leaving.close)
        self._app.config_from_object(worker_configuration(self.addresses.broker_url))
        self._app.share(Vitals(), self.settings.drain_timeout, self.settings.watchdog)

    def check_ledger(self, **_: object) -> None:
        """Stop a worker whose settings don't fit the ledger before it starts children."""
        try:
            asyncio.run(check_ledger(self.settings, self.addresses))
        except LedgerMismatchError as error:
            _leave(error)

    def choose_words(self, instance: Any, **_: object) -> None:  # noqa: ANN401 - Celery's worker
        """Keep what Celery says to people out of logs that are JSON."""
        self._app.conf.finalize()
        if self.settings.log_format == "json":
            self.configure_logs()
            speak_in_log_lines(instance)

    def announce(self, sender: str, instance: Any, **_: object) -> None:  # noqa: ANN401 - Celery's worker
        """Log what Celery's banner says that is of use."""
        log.info("worker_starts", node=sender, version=version("tidings"), children=instance.concurrency)

    def examine_stores(self, **_: object) -> None:
        """Warn of stores that may lose what they were told."""
        asyncio.run(examine_stores(self.settings, self.addresses))

    def configure_logs(self, **_: object) -> None:
        """Send Celery's logs where ours go."""
        configure_logs(self.settings.log_format, self.settings.log_level)

    def make_loop(self) -> DeliveryLoop:
        """Start a delivery loop in this process."""
        hints = publisher(self._app)
        times = Times(self.settings.drain_timeout, _PATIENCE, _WAIT)
        # A process without a number is the worker itself, in a pool of threads: nobody could replace it.
        child = current_process_index(base=0)
        pulse = self._app.vitals.pulse(-1 if child is None else child)
        return DeliveryLoop(opener(self.settings, self.addresses, hints, self._fitting), times, hints, pulse)


def _leave(error: TidingsError) -> NoReturn:
    """End a worker that can't start, with one line as other commands have it."""
    sys.stderr.write(f"tidings: {error}\n")
    raise SystemExit(UNUSABLE) from None


def run(arguments: Sequence[str]) -> int:
    """Run `celery -A worker worker` with these arguments in this process; return its exit code."""
    command.params[0].default = app
    return command.main(["worker", *arguments], prog_name="tidings", standalone_mode=False) or 0


app = DeliveringApp("tidings")
installation = Installation(app)
register_delivery(app, ProcessLoops(installation.make_loop))
signals.celeryd_init.connect(installation.choose_words, weak=False)
signals.worker_init.connect(installation.check_ledger, weak=False)
signals.setup_logging.connect(installation.configure_logs, weak=False)
# Later than worker_init, where logs are not set up yet.
signals.celeryd_after_setup.connect(installation.announce, weak=False)
signals.celeryd_after_setup.connect(installation.examine_stores, weak=False)
