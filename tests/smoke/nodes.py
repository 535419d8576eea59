"""The nodes of a smoke test, whatever they run on: Valkey for broker and ledger, workers, a simulated gateway."""

from collections.abc import Mapping
from typing import Any

from celery import Celery
from pytest_celery import CeleryTestContainer, CeleryTestSetup, CeleryWorkerContainer, RedisContainer
from typing_extensions import override

from tests.servers import TOKEN_SECRET
from worker.adapters.celery.configuration import configuration

GATEWAY_PORT = 8090
CHILDREN = 2
QUICK = {
    # Faults are over in a second or two, and loads last long enough for something to happen in the middle of them.
    "TIDINGS_LEASE": "1500",
    "TIDINGS_GRACE": "1000",
    "TIDINGS_SWEEP_INTERVAL": "250",
    "TIDINGS_CALL_TIMEOUT": "3000",
    "TIDINGS_CALL_SIZE": "10",
    "TIDINGS_CALLS_PER_GATEWAY": "2",
}


class ValkeyContainer(RedisContainer):
    """A Valkey that writes everything down: a broker or a ledger that is killed comes back with its data."""

    @classmethod
    @override
    def command(cls, *args: str, **_: Any) -> list[str]:
        durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        return ["valkey-server", *durable, "--protected-mode", "no", *args]

    @classmethod
    @override
    def image(cls) -> str:
        return "valkey/valkey:9"


class WorkerContainer(CeleryWorkerContainer):
    """A `tidings worker`."""

    @classmethod
    @override
    def command(cls, *args: str, **_: Any) -> list[str]:
        """Return arguments of the `tidings` command, which is the image's entry point."""
        return ["worker", "--name", f"{cls.worker_name()}@%h", "--children", str(CHILDREN), *args]

    @classmethod
    @override
    def worker_name(cls) -> str:
        return "smoke"

    @classmethod
    @override
    def worker_queue(cls) -> str:
        return "bulk"

    @classmethod
    @override
    def initial_env(cls, celery_worker_cluster_config: dict[str, Any], initial: Any = None) -> dict[str, str]:
        """Return the settings of a worker; what pytest-celery calls the backend is where outcomes live: the ledger."""
        found = celery_worker_cluster_config
        return {
            **(initial or {}),
            **QUICK,
            "TIDINGS_BROKER_URL": found["celery_broker_cluster_config"]["urls"][0],
            "TIDINGS_REDIS_URL": found["celery_backend_cluster_config"]["urls"][0],
            "TIDINGS_TOKEN_SECRET": TOKEN_SECRET,
            "PYTHONUNBUFFERED": "1",
        }


class GatewayContainer(CeleryTestContainer):
    """A `tidings gateway`."""

    @property
    def url(self) -> str:
        """Where workers find it."""
        return f"http://{self.attrs['Config']['Hostname']}:{GATEWAY_PORT}"

    @property
    def host_url(self) -> str:
        """Where the test finds it."""
        host, port = self.get_addr(f"{GATEWAY_PORT}/tcp")
        return f"http://{host}:{port}"

    @property
    @override
    def ready_prompt(self) -> str:
        return "gateway_simulator_ready"


class TidingsSetup(CeleryTestSetup):
    """Gives the test an app that speaks to the workers as intake does."""

    @classmethod
    @override
    def name(cls) -> str:
        return "tidings"

    @classmethod
    @override
    def update_app_config(cls, app: Celery) -> None:
        app.conf.update(configuration(app.conf.broker_url), result_backend=None)


def gateway_env() -> Mapping[str, str]:
    """Return the settings of a gateway in a container."""
    return {"TIDINGS_GATEWAY_PORT": str(GATEWAY_PORT), "PYTHONUNBUFFERED": "1"}
