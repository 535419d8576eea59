from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from structlog.testing import capture_logs

from worker.adapters.celery.app import name_apart
from worker.adapters.celery.configuration import worker_configuration
from worker.adapters.celery.consumer import GiveBack, HintConsumer
from worker.adapters.celery.delivering import DeliveringApp
from worker.adapters.celery.vitals import Vitals

Steps = dict[str, bool]


@pytest.fixture
def app() -> Iterator[DeliveringApp]:
    found = DeliveringApp("test", set_as_current=False)
    found.config_from_object(worker_configuration("redis://broker.test/1"))
    found.share(Vitals(), 5_000, 8_000)
    yield found
    found.close()


def steps(app: Celery, **options: Any) -> Steps:  # noqa: ANN401 - Celery's own
    """Return which of the consumer's steps are in force."""
    consumer = HintConsumer(print, app=app, hostname="w@test", pool=Pool(), controller=Controller(), **options)
    return {name: consumer.blueprint[f"celery.worker.consumer.{name}"].enabled for name in NAMES}


NAMES = ("mingle.Mingle", "gossip.Gossip", "heart.Heart")


class Controller:
    """A worker that nobody starts."""

    use_eventloop = False


class Pool:
    """A pool that nobody uses."""

    num_processes = 2
    is_green = False


def test_a_worker_speaks_to_no_other_however_it_was_started(app: DeliveringApp) -> None:
    given: dict[str, Any] = {"without_gossip": False, "without_mingle": False, "without_heartbeat": False}

    assert steps(app, worker_options=given) == dict.fromkeys(NAMES, False)
    assert steps(app) == dict.fromkeys(NAMES, False)


def test_a_worker_whose_events_are_wanted_sends_heartbeats(app: DeliveringApp) -> None:
    assert steps(app, task_events=True)["heart.Heart"] is True


def test_the_watchdogs_patience_is_counted_in_looks(app: DeliveringApp) -> None:
    looks = []
    for milliseconds in (0, 1, 1_000, 1_001, 8_000):
        app.share(app.vitals, 0, milliseconds)
        looks.append(app.patience)

    assert looks == [0, 1, 1, 2, 8]


class Stopping:
    """A worker at its end that notes in which order things happen."""

    def __init__(self, app: DeliveringApp, fails: bool = False) -> None:  # noqa: FBT001, FBT002 - a flag of the test
        self.app = app
        self.done: list[str] = []
        self._fails = fails
        self.consumer = self
        self.task_consumer = self
        self.channel = self
        self.connection = None
        self.connection_errors = (ConnectionError,)
        self.channel_errors = (KeyError,)

    def cancel(self) -> None:
        self.done.append("cancelled")
        self._note()

    def close(self) -> None:
        self.done.append("closed")
        self._note()

    def _note(self) -> None:
        self.done.append("children stop" if self.app.vitals.pulse(0).stopping else "children work")
        if self._fails:
            raise ConnectionError


def test_a_worker_at_its_end_first_takes_no_more_then_tells_its_children_then_gives_back(app: DeliveringApp) -> None:
    worker = Stopping(app)

    GiveBack(worker).close(worker)

    assert worker.done == ["cancelled", "children work", "closed", "children stop"]


def test_children_are_told_to_stop_also_when_the_broker_is_away(app: DeliveringApp) -> None:
    worker = Stopping(app, fails=True)

    GiveBack(worker).close(worker)

    assert app.vitals.pulse(0).stopping


class Named:
    """A worker that has a name."""

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname


def test_a_worker_without_a_name_of_its_own_gets_one_that_no_other_on_this_host_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("celery.utils.nodenames.gethostname", lambda: "here")
    monkeypatch.setattr("worker.adapters.celery.app.os.getpid", lambda: 77)
    nameless, named = Named("celery@here"), Named("w1@here")

    name_apart(nameless)
    name_apart(named)

    assert (nameless.hostname, named.hostname) == ("tidings-77@here", "w1@here")


class Returning:
    """A connection to a broker that comes back after two tries."""

    alt = ()

    def as_uri(self) -> str:
        return "redis://:**@broker.test/1"

    def ensure_connection(
        self, errback: Callable[[Exception, float], None], max_retries: int | None, **options: object
    ) -> "Returning":
        assert max_retries is None
        assert options["interval_max"] == 2
        for pause in (0.0, 2.0):
            errback(ConnectionError("refused"), pause)
        return self


def test_a_broker_that_is_away_is_told_by_our_own_lines_and_not_once_a_try(
    app: DeliveringApp, caplog: pytest.LogCaptureFixture
) -> None:
    consumer = HintConsumer(print, app=app, hostname="w@test", pool=Pool(), controller=Controller())
    connection: Any = Returning()

    with capture_logs() as logs:
        assert consumer.ensure_connected(connection) is connection

    assert [line["event"] for line in logs] == ["broker_unavailable", "broker_available_again"]
    assert caplog.messages == []
