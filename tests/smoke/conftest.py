"""The same smoke tests on local processes and, with TIDINGS_TEST_DOCKER=1, in containers."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from pytest_celery import CELERY_REDIS_BACKEND, CELERY_REDIS_BROKER, CeleryTestSetup, CeleryTestWorker

from tests.smoke.merchant import Merchant
from tests.smoke.nodes import GatewayContainer, TidingsSetup, WorkerContainer

if os.environ.get("TIDINGS_TEST_DOCKER") == "1":
    from tests.smoke.docker_nodes import (  # noqa: F401 - fixtures
        default_redis_backend_cls,
        default_redis_broker_cls,
        default_worker_container,
        default_worker_container_cls,
        gateway,
        other_worker_command,
        other_worker_container,
        tidings_image,
    )
else:
    from tests.smoke.local_nodes import (  # noqa: F401 - fixtures
        default_redis_backend,
        default_redis_broker,
        default_worker_container,
        default_worker_container_cls,
        gateway,
        other_worker_container,
    )


@pytest.fixture(params=[CELERY_REDIS_BROKER])
def celery_broker(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The one kind of broker that these tests start."""
    broker = request.getfixturevalue(request.param)
    yield broker
    broker.teardown()


@pytest.fixture(params=[CELERY_REDIS_BACKEND])
def celery_backend(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The ledger: what Celery calls a result backend is where outcomes live."""
    backend = request.getfixturevalue(request.param)
    yield backend
    backend.teardown()


@pytest.fixture
def celery_setup_cls() -> type[CeleryTestSetup]:
    return TidingsSetup


@pytest.fixture
def celery_other_worker(
    other_worker_container: WorkerContainer, celery_setup_app: Celery
) -> Iterator[CeleryTestWorker]:
    """A second worker, for tests that ask for it."""
    worker = CeleryTestWorker(other_worker_container, celery_setup_app)
    yield worker
    worker.teardown()


@pytest.fixture
def merchant(celery_setup: CeleryTestSetup, gateway: GatewayContainer) -> Merchant:
    """A merchant with a template, a wallet and a user; everything is ready to take sends."""
    assert celery_setup.ready(control=True, docker=True)
    opened = Merchant(celery_setup, gateway)
    opened.open_shop()
    return opened
