"""Whether the broker answers, and which workers listen to it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from celery import Celery
from kombu.exceptions import OperationalError

from worker.adapters.celery.app import publishing_app
from worker.contract.errors import BrokerUnavailableError

_LISTENING = 1.5
"""Seconds that workers have for their answer."""


class BrokerPresence:
    """Asks a broker, over a connection of its own; every call blocks, for seconds at most."""

    def __init__(self, broker_url: str) -> None:
        """Keep the address; connects at each call."""
        self._broker_url = broker_url

    def reach(self) -> None:
        """Return when the broker takes a connection; raises BrokerUnavailableError."""
        with closing(publishing_app(self._broker_url)) as app, _answers(app), app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)

    def workers(self) -> list[str]:
        """Return the names of the workers that answer a ping, sorted; raises BrokerUnavailableError."""
        with closing(publishing_app(self._broker_url)) as app, _answers(app):
            answers = app.control.ping(timeout=_LISTENING) or []
        return sorted({name for answer in answers for name in answer})


@contextmanager
def _answers(app: Celery) -> Iterator[None]:
    """Turn what kombu, its transport and the network raise into BrokerUnavailableError."""
    transport = app.connection_for_write()
    broken: tuple[type[BaseException], ...] = (OperationalError, OSError)
    broken += transport.connection_errors + transport.channel_errors
    try:
        yield
    except broken as error:
        text = f"the broker did not answer ({type(error).__name__}); check TIDINGS_BROKER_URL and the server's log"
        raise BrokerUnavailableError(text) from error
