import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker import state as state_of_celery

from worker.adapters.celery.interrupts import Interrupts, tell_haste

state: Any = state_of_celery  # the stubs know no numbers in it


@pytest.fixture(autouse=True)
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(state, "should_stop", None)
    monkeypatch.setattr(state, "should_terminate", None)
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def interrupted_worker() -> SimpleNamespace:
    """Return a worker after its first SIGINT."""
    worker = SimpleNamespace(app=SimpleNamespace(steps={}), hostname="here", exitcode=0)
    Interrupts(worker).start(worker)
    signal.raise_signal(signal.SIGINT)
    return worker


def test_an_interrupt_asks_for_a_warm_shutdown_with_exit_code_0() -> None:
    worker = interrupted_worker()
    tell_haste(worker)

    assert (state.should_stop, state.should_terminate, worker.exitcode) == (0, None, 0)


def test_a_worker_that_was_hurried_while_it_drained_ends_with_1() -> None:
    worker = interrupted_worker()
    state.should_terminate = True  # as Celery's handler of a second one does

    tell_haste(worker)

    assert worker.exitcode == 1


def test_a_cold_shutdown_ends_with_1() -> None:
    worker = interrupted_worker()

    Interrupts(worker).terminate(worker)

    assert worker.exitcode == 1
