"""The nodes of TIDINGS_TEST_DOCKER=1, on an engine that starts nothing: what would be built and run."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_celery import CeleryTestSetup, default_redis_backend, default_redis_broker  # noqa: F401 - fixtures

from tests.servers import TOKEN_SECRET
from tests.smoke.docker_nodes import (  # noqa: F401 - fixtures, those of this module whatever the others use
    default_redis_backend_cls,
    default_redis_broker_cls,
    default_worker_container,
    default_worker_container_cls,
    gateway,
    other_worker_command,
    other_worker_container,
    tidings_image,
)
from tests.smoke.nodes import GatewayContainer, ValkeyContainer, WorkerContainer
from tests.stacks import ROOT
from worker.settings import PREFIX, Settings

PROMPTS = b"Ready to accept connections\nready.\ngateway_simulator_ready\n"


class NoContainer:
    """A container that claims to run and to be ready."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.id = self.name = f"container-of-{options['image']}"
        self.status = "running"
        ports = {port: [{"HostPort": "49152"}] for port in options.get("ports") or {}}
        self.attrs = {
            "Config": {"Hostname": self.id[:12], "Env": []},
            "NetworkSettings": {"Networks": {"smoke": {"IPAddress": "127.0.0.1"}}, "Ports": ports},
            "HostConfig": {"PortBindings": ports},
        }

    def reload(self) -> None:
        """Have nothing to read anew."""

    def logs(self) -> bytes:
        return PROMPTS

    def exec_run(self, _command: str) -> tuple[int, bytes]:
        """Answer what listens where, as /proc/net/tcp does."""
        listening = "".join(f"0: 0:{port:04X} 0:0 0A\n" for port in (6379, 8090))
        return 0, listening.encode()

    def remove(self, **_: object) -> None:
        """Have nothing to remove."""

    def kill(self, *_: object) -> None:
        """Have nothing to kill."""


@dataclass
class NoEngine:
    """A Docker client that notes what it is asked for; it is its own collection of containers, images and networks."""

    built: list[dict[str, Any]] = field(default_factory=list)
    ran: list[dict[str, Any]] = field(default_factory=list)

    @property
    def containers(self) -> "NoEngine":
        return self

    images = networks = containers

    def build(self, **options: Any) -> tuple["NoEngine", list[str]]:  # noqa: ANN401 - Docker's
        self.built.append(options)
        return self, []

    def create(self, name: str, **_: object) -> "NoEngine":
        self.name = name
        return self

    def run(self, **options: Any) -> NoContainer:  # noqa: ANN401 - Docker's
        self.ran.append(options)
        return NoContainer(options)

    def remove(self, *_: object, **__: object) -> None:
        """Have nothing to remove."""

    @property
    def id(self) -> str:
        return "tidings-image"


@pytest.fixture(scope="session")
def docker_client() -> NoEngine:
    return NoEngine()


def of_image(engine: NoEngine, image: str) -> list[dict[str, Any]]:
    return [options for options in engine.ran if options["image"] == image]


def test_each_node_is_a_container_of_its_class_and_ready(
    celery_setup: CeleryTestSetup,
    gateway: GatewayContainer,  # noqa: F811
) -> None:
    assert celery_setup.ready(docker=True)

    nodes = [celery_setup.broker, celery_setup.backend, celery_setup.worker]
    assert isinstance(celery_setup.worker.container, WorkerContainer)
    assert isinstance(gateway, GatewayContainer)
    assert [type(node.container._container) for node in nodes] == [NoContainer] * 3
    assert gateway.host_url.startswith("http://")


def test_workers_and_gateway_run_the_image_of_this_repository(
    celery_setup: CeleryTestSetup,
    other_worker_container: WorkerContainer,  # noqa: F811
    gateway: GatewayContainer,  # noqa: F811
    docker_client: NoEngine,
) -> None:
    (build,) = docker_client.built
    commands = [options["command"] for options in of_image(docker_client, docker_client.id)[-3:]]

    assert (Path(build["path"]), build["tag"]) == (ROOT, "tidings:smoke")
    assert (ROOT / "Dockerfile").exists()
    assert sorted(commands) == [
        ["gateway"],
        ["worker", "--name", "other@%h", "--children", "2"],
        ["worker", "--name", "smoke@%h", "--children", "2"],
    ]
    assert (celery_setup.worker.container.id, gateway.id) == (other_worker_container.id, other_worker_container.id)


def test_a_worker_finds_broker_and_ledger_by_their_names_on_the_network(
    celery_setup: CeleryTestSetup, docker_client: NoEngine
) -> None:
    environment = of_image(docker_client, docker_client.id)[-1]["environment"]

    assert environment["TIDINGS_BROKER_URL"] == celery_setup.broker.config()["url"]
    assert environment["TIDINGS_REDIS_URL"] == celery_setup.backend.config()["url"]
    assert environment["TIDINGS_TOKEN_SECRET"] == TOKEN_SECRET
    assert "localhost" not in json.dumps(environment)


def test_valkeys_keep_their_data_when_they_are_killed(celery_setup: CeleryTestSetup, docker_client: NoEngine) -> None:
    ran = of_image(docker_client, ValkeyContainer.image())[-2:]

    assert len(ran) == len([celery_setup.broker, celery_setup.backend])
    assert all("--appendonly yes --appendfsync always" in " ".join(options["command"]) for options in ran)


def test_what_is_set_for_a_container_is_a_setting_that_exists(
    celery_setup: CeleryTestSetup,
    gateway: GatewayContainer,  # noqa: F811
    docker_client: NoEngine,
) -> None:
    environments = [options["environment"] for options in of_image(docker_client, docker_client.id)[-2:]]
    used = {name for environment in environments for name in environment if name.startswith(PREFIX)}

    assert (celery_setup.worker.container.status, gateway.status) == ("running", "running")
    assert used <= {PREFIX + name.upper() for name in Settings.model_fields}
