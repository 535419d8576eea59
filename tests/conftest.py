"""A real Valkey for the whole run, and an empty database for each test that asks for one."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import settings

from worker.adapters.redis.embedded import EmbeddedValkey

# Machines that run this are shared: how long an example takes says nothing about the code.
settings.register_profile("tidings", deadline=None)
settings.load_profile("tidings")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    """A server of this run's own, configured as users get it."""
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: EmbeddedValkey) -> str:
    """The ledger's database, empty; so is the broker's."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture
def hasty_redis_url(redis_url: str) -> Iterator[str]:
    """A server that does not wait for the disk: for thousands of steps that need none of its durability."""
    with redis.Redis.from_url(redis_url) as server:
        before = server.config_get("appendfsync")["appendfsync"]
        server.config_set("appendfsync", "no")
        try:
            yield redis_url
        finally:
            server.config_set("appendfsync", before)


@pytest.fixture
def broker_url(valkey: EmbeddedValkey, redis_url: str) -> str:  # noqa: ARG001 - empties the databases
    """The broker's database, empty; so is the ledger's."""
    return valkey.broker_url
