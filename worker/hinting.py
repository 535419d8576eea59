"""Names the broker's adapters, for a process that runs no tasks: who hands out hints, and who asks for workers.

Celery is loaded by whoever calls these: most commands of `tidings` do not need it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from worker.bootstrap import Addresses

if TYPE_CHECKING:
    from worker.adapters.celery.hints import HintPublisher
    from worker.adapters.celery.presence import BrokerPresence


def check_broker(addresses: Addresses) -> None:
    """Raise SettingsError where the settings name a broker that nothing here can reach."""
    from worker.adapters.celery import brokers  # noqa: PLC0415 - as the module says

    brokers.check_broker(addresses.broker_url)


def broker_presence(addresses: Addresses) -> "BrokerPresence":
    """Return who asks whether the broker is there, and who listens to it."""
    from worker.adapters.celery.presence import BrokerPresence  # noqa: PLC0415 - as the module says

    return BrokerPresence(addresses.broker_url)


@contextmanager
def hint_publisher(addresses: Addresses, flush_seconds: float = 2.0) -> Iterator["HintPublisher"]:
    """Give a publisher of hints for a process that runs no tasks; what waits at the end is flushed."""
    from worker.adapters.celery.app import publisher, publishing_app  # noqa: PLC0415 - as the module says

    app = publishing_app(addresses.broker_url)
    hints = publisher(app)
    try:
        yield hints
    finally:
        hints.flush(flush_seconds)
        app.close()
