"""What a Redis keeps, asked of real servers of many configurations, and of some that say less than others."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis as Server

from tests.servers import Valkey, free_port, valkey
from worker.adapters.redis.connection import connect
from worker.adapters.redis.durability import RedisDurability, ServerState, of_ledger
from worker.contract.errors import LedgerUnavailableError
from worker.contract.findings import Finding, Severity

WARNING, ERROR = Severity.WARNING, Severity.ERROR
SOUND = ServerState((7, 2), False, 1_000, 0, "noeviction", True, True, "always")  # noqa: FBT003 - in their order


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with valkey(tmp_path_factory.mktemp("durability") / "store") as server:
        server.start()
        yield server


def of(url: str, broker_url: str = "") -> tuple[list[Finding], list[Finding]]:
    """Return the findings of the ledger's server and of the broker's."""

    async def look() -> tuple[list[Finding], list[Finding]]:
        redis = connect(url)
        try:
            durability = RedisDurability(redis, broker_url)
            return await durability.findings(), await durability.broker_findings()
        finally:
            await redis.aclose()

    return asyncio.run(look())


def configured(store: Valkey, **settings: str) -> list[tuple[Severity, str]]:
    """Return what is found of a server while it is configured otherwise: how bad it is, and the first words."""
    with Server.from_url(store.url) as server:
        names = {name.replace("_", "-"): value for name, value in settings.items()}
        before: Mapping[str, str] = server.config_get(*names)
        server.config_set(*(word for pair in names.items() for word in pair))
        try:
            return [(finding.severity, finding.what.partition(":")[0]) for finding in of(store.url)[0]]
        finally:
            server.config_set(*(word for pair in before.items() for word in pair))


def test_nothing_is_wrong_with_a_server_as_the_readme_sets_it(store: Valkey) -> None:
    assert of(store.url, store.url) == ([], [])


def test_nothing_is_wrong_with_the_embedded_valkey(redis_url: str) -> None:
    assert of(redis_url) == ([], [])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"maxmemory": "1gb", "maxmemory_policy": "allkeys-lru"}, (ERROR, "it evicts (allkeys-lru)")),
        (
            {"maxmemory": "1gb", "maxmemory_policy": "volatile-ttl"},
            (WARNING, "it evicts keys that expire (volatile-ttl)"),
        ),
        ({"appendonly": "no"}, (WARNING, "it writes no append-only file")),
        ({"appendfsync": "no"}, (WARNING, "appendfsync is no")),
    ],
    ids=["evicts anything", "evicts what expires", "no append-only file", "no fsync"],
)
def test_what_may_lose_messages_is_found(
    store: Valkey, settings: dict[str, str], expected: tuple[Severity, str]
) -> None:
    assert configured(store, **settings) == [expected]


@pytest.mark.parametrize(
    "settings",
    [{"appendfsync": "everysec"}, {"maxmemory_policy": "allkeys-lru"}, {"maxmemory": "1gb"}],
    ids=["the last second is a choice", "no bound, so nothing is evicted", "a bound that refuses writes"],
)
def test_what_loses_nothing_by_itself_is_no_finding(store: Valkey, settings: dict[str, str]) -> None:
    assert configured(store, **settings) == []


def test_a_server_that_is_nearly_full_is_found(store: Valkey) -> None:
    with Server.from_url(store.url) as server:
        used = int(server.info("memory")["used_memory"])

    ((severity, what),) = configured(store, maxmemory=str(used))

    assert severity is WARNING
    assert what.endswith("% of maxmemory is used")


def test_a_replica_is_found_also_while_its_master_is_away(store: Valkey) -> None:
    with Server.from_url(store.url) as server:
        server.replicaof("127.0.0.1", free_port())
        try:
            (finding,) = of(store.url)[0]
        finally:
            server.replicaof("NO", "ONE")

    assert (finding.severity, finding.advice) == (ERROR, "let TIDINGS_REDIS_URL name the master")


@pytest.mark.parametrize(
    ("forbidden", "words"),
    [("-config", "appendfsync can't be seen"), ("-info", "what it keeps can't be seen")],
)
def test_what_a_managed_server_forbids_to_ask_is_said(store: Valkey, forbidden: str, words: str) -> None:
    with Server.from_url(store.url) as server:
        server.execute_command("ACL", "SETUSER", "limited", "reset", "on", ">key", "~*", "+@all", forbidden)
    url = store.url.replace("://", "://limited:key@")

    (finding,) = of(url)[0]

    assert finding.severity is WARNING
    assert finding.what.startswith(words)


@pytest.mark.parametrize(
    ("command", "words"),
    [("CONFIG", "appendfsync can't be seen"), ("INFO", "what it keeps can't be seen")],
)
def test_what_a_server_does_not_know_is_said_too(tmp_path: Path, command: str, words: str) -> None:
    with valkey(tmp_path / "renamed") as store:
        store.start("--rename-command", command, "")

        (finding,) = of(store.url)[0]

    assert finding.what.startswith(words)


def test_a_broker_is_asked_about_eviction_alone(store: Valkey, tmp_path: Path) -> None:
    with valkey(tmp_path / "broker") as broker:
        careless = ["--appendonly", "no", "--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"]
        broker.start(*careless)

        ledger, (finding,) = of(store.url, broker.url)

    assert ledger == []
    assert (finding.severity, finding.advice) == (ERROR, "set maxmemory-policy noeviction")


def test_a_ledger_that_is_away_is_an_error_and_a_broker_that_is_away_none_of_ours(store: Valkey) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"

    assert of(store.url, nobody) == ([], [])
    with pytest.raises(LedgerUnavailableError):
        of(nobody)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (SOUND, []),
        (replace(SOUND, version=(6, 2)), [(ERROR, "Redis 6.2 is too old")]),
        (replace(SOUND, version=None), []),
        (replace(SOUND, append_works=False), [(ERROR, "it can't write its append-only file, so it takes nothing")]),
        (replace(SOUND, appends=None), [(WARNING, "whether it persists can't be seen")]),
        (replace(SOUND, policy=None), [(WARNING, "whether it evicts can't be seen")]),
    ],
)
def test_what_no_server_of_ours_says_is_judged_too(state: ServerState, expected: list[tuple[Severity, str]]) -> None:
    assert [(finding.severity, finding.what) for finding in of_ledger(state)] == expected


def test_every_finding_says_what_to_do() -> None:
    bad = ServerState((6, 0), True, 99, 100, "allkeys-lru", True, False, "no")  # noqa: FBT003 - in their order

    found = list(of_ledger(bad))

    assert len(found) == 6
    assert all(finding.advice for finding in found)
