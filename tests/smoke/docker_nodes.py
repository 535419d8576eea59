"""Nodes that are containers of this repository's image, and of Valkey's; they need a Docker engine."""

import pytest
from pytest_celery import DEFAULT_WORKER_CONTAINER_TIMEOUT
from pytest_docker_tools import build, container, fxtr

from tests.smoke.nodes import GATEWAY_PORT, GatewayContainer, ValkeyContainer, WorkerContainer, gateway_env
from tests.stacks import ROOT

_NETWORK = "{default_pytest_celery_network.name}"

tidings_image = build(path=str(ROOT), tag="tidings:smoke")


@pytest.fixture
def default_redis_broker_cls() -> type[ValkeyContainer]:
    return ValkeyContainer


@pytest.fixture
def default_redis_backend_cls() -> type[ValkeyContainer]:
    return ValkeyContainer


@pytest.fixture
def default_worker_container_cls() -> type[WorkerContainer]:
    return WorkerContainer


@pytest.fixture
def other_worker_command(default_worker_command: list[str]) -> list[str]:
    return [one.replace("smoke@", "other@") for one in default_worker_command]


default_worker_container = container(
    image="{tidings_image.id}",
    environment=fxtr("default_worker_env"),
    network=_NETWORK,
    wrapper_class=WorkerContainer,
    timeout=DEFAULT_WORKER_CONTAINER_TIMEOUT,
    command=fxtr("default_worker_command"),
)

other_worker_container = container(
    image="{tidings_image.id}",
    environment=fxtr("default_worker_env"),
    network=_NETWORK,
    wrapper_class=WorkerContainer,
    timeout=DEFAULT_WORKER_CONTAINER_TIMEOUT,
    command=fxtr("other_worker_command"),
)

gateway = container(
    image="{tidings_image.id}",
    environment=dict(gateway_env()),
    network=_NETWORK,
    ports={f"{GATEWAY_PORT}/tcp": None},
    wrapper_class=GatewayContainer,
    command=["gateway"],
)
