"""Two workers on one broker."""

from collections import Counter
from collections.abc import Iterator

import pytest
from pytest_celery import CeleryTestSetup, CeleryTestWorker, CeleryWorkerCluster

from tests.smoke.merchant import Account, Merchant

LOAD = 400


@pytest.fixture
def celery_worker_cluster(
    celery_worker: CeleryTestWorker, celery_other_worker: CeleryTestWorker
) -> Iterator[CeleryWorkerCluster]:
    cluster = CeleryWorkerCluster(celery_worker, celery_other_worker)
    yield cluster
    cluster.teardown()


def shares(setup: CeleryTestSetup, merchant: Merchant) -> list[int]:
    """Return how many messages each worker delivered."""
    by_process = Counter(entry.worker.split(".")[-1] for one in merchant.outcomes() for entry in one.timeline)
    stats = setup.app.control.inspect(timeout=10, limit=2).stats()
    return [sum(by_process[str(pid)] for pid in worker["pool"]["processes"]) for worker in stats.values()]


def test_two_workers_are_counted_apart_and_share_the_load(celery_setup: CeleryTestSetup, merchant: Merchant) -> None:
    assert len(celery_setup.app.control.inspect(timeout=10, limit=2).ping()) == 2
    merchant.behave("slow-100")

    merchant.send(LOAD)

    assert merchant.account() == Account(delivered=LOAD, shown=2 * LOAD, shown_twice=0, balanced=True)
    assert sum(shares(celery_setup, merchant)) == LOAD
    assert all(shares(celery_setup, merchant))


def test_when_one_worker_stops_the_other_delivers_the_rest(celery_setup: CeleryTestSetup, merchant: Merchant) -> None:
    merchant.behave("slow-100")
    merchant.send(LOAD)
    merchant.until_shown(LOAD // 5)

    celery_setup.worker.kill("SIGTERM")

    assert merchant.account() == Account(delivered=LOAD, shown=2 * LOAD, shown_twice=0, balanced=True)
    assert merchant.repeated_calls() == 0
    assert sum(outcome.crashes for outcome in merchant.outcomes()) == 0
