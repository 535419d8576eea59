"""Nodes that are processes of this machine."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from tests.servers import HOST, free_port
from tests.smoke.nodes import GatewayContainer, ValkeyContainer, WorkerContainer, gateway_env
from tests.smoke.processes import ProcessHandle, Program
from tests.stacks import ROOT
from worker.adapters.redis.valkey_server import valkey_binary

Node = TypeVar("Node", bound="LocalNode")


class LocalNode:
    """Makes a container class of pytest-celery take a process: it has no network and no published ports."""

    _container: ProcessHandle
    _wait_ready: Any

    def ready(self) -> bool:
        return self._container.status == "running" and bool(self._wait_ready())

    def get_addr(self, _port: str) -> tuple[str, int]:
        return HOST, self._container.program.port


class LocalValkey(LocalNode, ValkeyContainer):
    @property
    @override
    def port(self) -> int:
        return self._container.program.port

    @property
    @override
    def url(self) -> str:
        return str(self.host_url)


class LocalWorker(LocalNode, WorkerContainer):
    """A worker that is a process."""


class LocalGateway(LocalNode, GatewayContainer):
    @property
    @override
    def url(self) -> str:
        return self.host_url


def tidings(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "api_adapter", *arguments]


def environ(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process' environment with these settings of tidings, and no others."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TIDINGS_")}
    return inherited | {"PYTHONPATH": str(ROOT)} | dict(settings)


@contextmanager
def running(node: type[Node], program: Program) -> Iterator[Node]:
    handle = ProcessHandle(program)
    try:
        yield node(handle)  # type: ignore[call-arg]  # the untyped base class takes it
    finally:
        handle.kill()


@contextmanager
def _valkey(directory: Path, name: str) -> Iterator[LocalValkey]:
    data, port = directory / name, free_port()
    data.mkdir()
    command = [str(valkey_binary()), *LocalValkey.command("--port", str(port), "--bind", HOST)[1:]]
    with running(LocalValkey, Program(name, command, data, environ({}), port)) as node:
        assert node.ready()
        yield node


@pytest.fixture
def default_redis_broker(tmp_path: Path) -> Iterator[LocalValkey]:
    with _valkey(tmp_path, "broker") as node:
        yield node


@pytest.fixture
def default_redis_backend(tmp_path: Path) -> Iterator[LocalValkey]:
    with _valkey(tmp_path, "ledger") as node:
        yield node


@pytest.fixture
def default_worker_container_cls() -> type[WorkerContainer]:
    return LocalWorker


@pytest.fixture
def default_worker_container(
    default_worker_command: list[str], default_worker_env: dict[str, str], tmp_path: Path
) -> Iterator[LocalWorker]:
    with running(LocalWorker, _worker("worker", default_worker_command, default_worker_env, tmp_path)) as node:
        yield node


@pytest.fixture
def other_worker_container(
    default_worker_command: list[str], default_worker_env: dict[str, str], tmp_path: Path
) -> Iterator[LocalWorker]:
    command = [one.replace("smoke@", "other@") for one in default_worker_command]
    with running(LocalWorker, _worker("other", command, default_worker_env, tmp_path)) as node:
        yield node


def _worker(name: str, command: Sequence[str], settings: Mapping[str, str], directory: Path) -> Program:
    return Program(name, tidings(command), directory, environ(settings))


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayContainer]:
    port = free_port()
    settings = {**gateway_env(), "TIDINGS_GATEWAY_PORT": str(port)}
    with running(LocalGateway, Program("gateway", tidings(["gateway"]), tmp_path, environ(settings), port)) as node:
        assert node.ready()
        yield node
