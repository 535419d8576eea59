"""`tidings doctor`, and the warnings of an API and a worker on a Redis that keeps nothing."""

import asyncio
import json
import socket
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from api_adapter.doctor import callback_addresses
from api_adapter.doctor.callbacks import callback_findings
from tests.certificates import tls_for
from tests.command_line import SECRET, CommandLine
from tests.receivers import receiver_beside
from tests.servers import HOST, TOKEN_SECRET, free_port, served, valkey
from tests.stacks import tidings as command
from worker.adapters import resolving
from worker.bootstrap import Services
from worker.callbacks.ports import Reply
from worker.contract.callbacks import EVERY_OUTCOME, CallbackRegistration, SealedSecret
from worker.contract.findings import Finding, Severity
from worker.contract.origins import Origin
from worker.settings import Settings

Found = dict[str, list[tuple[str, str]]]


@pytest.fixture
def tidings(redis_url: str) -> CommandLine:
    return CommandLine(redis_url)


@pytest.fixture
def gateway() -> Iterator[str]:
    """A place that takes connections and nothing else."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"http://{HOST}:{listener.getsockname()[1]}"


def diagnosed(tidings: CommandLine, **settings: str) -> tuple[int, Found]:
    """Return the exit code and, by check, how bad each finding is and what it says."""
    result = tidings("doctor", "--json", **settings)
    said: dict[str, Any] = json.loads(result.stdout)
    checks = {
        check["name"]: [(finding["severity"], finding["what"]) for finding in check["findings"]]
        for check in said["checks"]
    }
    return result.exit_code, checks


def test_an_empty_installation_lacks_templates_wallets_and_workers(tidings: CommandLine) -> None:
    code, found = diagnosed(tidings)

    assert code == 1
    assert {name: [severity for severity, _ in findings] for name, findings in found.items()} == {
        "build": ["ok"],
        "settings": ["ok"],
        "ledger": ["ok"],
        "durability": ["ok"],
        "templates": ["warning"],
        "wallets": ["warning"],
        "pauses": ["ok"],
        "batches": ["ok"],
        "callbacks": ["ok"],
        "gateways": [],
        "broker": ["ok"],
        "workers": ["error"],
    }


def test_the_build_is_told(tidings: CommandLine) -> None:
    ((_, what),) = diagnosed(tidings)[1]["build"]

    assert what == f"tidings {version('tidings')}, runs as Python source"


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """The addresses of names; others have none."""
    known: dict[str, tuple[str, ...]] = {"shop.example": ("93.184.215.14",)}
    monkeypatch.setattr(resolving, "look_up", lambda host: known.get(host, ()))
    return known


@pytest.mark.usefixtures("name_server")
def test_callbacks_that_can_not_be_made_are_named(tidings: CommandLine) -> None:
    for app_id in ("shop", "cafe", "bar"):
        tidings.lines("callback", "put", app_id, "--url", "https://shop.example/")
    assert tidings.on_services(callback_findings) == [Finding(Severity.OK, "3 registered")]
    tidings.lines("callback", "disable", "cafe")

    async def spoil(services: Services) -> None:
        unreadable = (SealedSecret("sealed with another key"),)
        shop = CallbackRegistration("shop", "https://shop.example/", EVERY_OUTCOME, unreadable)
        await services.callbacks.change("shop", lambda _: shop)

    tidings.on_services(spoil)

    assert diagnosed(tidings)[1]["callbacks"] == [
        ("warning", "cafe's is disabled: by hand"),
        ("error", "shop's secret can't be read, so it is not called back"),
    ]
    ((severity, what),) = diagnosed(tidings, token_secret="")[1]["callbacks"]
    assert (severity, what.partition(": ")[0]) == ("error", "nobody is called back")


def test_callbacks_that_lead_nowhere_or_inside_are_named_and_nobody_is_called(
    tidings: CommandLine, name_server: dict[str, tuple[str, ...]]
) -> None:
    with receiver_beside() as merchant:
        name_server.update({"inside.example": (HOST,), "plain.example": ("93.184.215.14",)})
        urls = {
            "gone": "https://gone.example/",
            "inside": f"https://inside.example:{merchant.port}/",
            "plain": "http://plain.example/",
            "shop": "https://shop.example/",
        }
        for app_id, url in urls.items():
            put = tidings("callback", "put", app_id, "--url", url, callback_networks="10.0.0.0/8")
            assert put.exit_code == 0, put.output

        found = tidings.on_services(callback_findings)
        allowed = tidings.on_services(callback_findings, callback_networks="127.0.0.0/8,93.184.215.0/24")

    assert [(one.severity, one.what) for one in found] == [
        (Severity.WARNING, "gone's host gone.example leads to no address, so it is not called back"),
        (Severity.WARNING, "inside's host inside.example is not at a public address, so it is not called back"),
        (Severity.WARNING, "plain's URL at plain.example has no TLS, so it is not called back"),
    ]
    assert allowed == found[:1]
    assert merchant.connections == 0


def test_many_callbacks_that_lead_nowhere_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        async def foresee(self, url: str) -> Reply | None:
            if "slow" in url:
                await asyncio.sleep(60)
            return Reply(None, "NO_ADDRESS")

    monkeypatch.setattr(callback_addresses, "LONGEST", 0.05)
    names = [f"shop-{number}" for number in range(callback_addresses.MOST_NAMED + 2)]
    registered = [
        CallbackRegistration(name, f"https://{name}.example/", EVERY_OUTCOME, ()) for name in [*names, "slow"]
    ]

    found = asyncio.run(callback_addresses.address_findings(registered, Slow()))

    assert len(found) == callback_addresses.MOST_NAMED + 2
    assert [finding.what for finding in found[-2:]] == [
        "merchants that are not called back, besides: 2",
        "the name server of this machine said nothing in 0.05 s of hosts of callbacks: 1",
    ]


def test_each_line_says_how_bad_it_is_where_and_what_to_do(tidings: CommandLine) -> None:
    result = tidings("doctor")

    assert result.exit_code == 1
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert [(severity, check) for severity, check, _ in lines][:3] == [
        ("ok", "build"),
        ("ok", "settings"),
        ("ok", "ledger"),
    ]
    assert lines[-1] == ["error", "workers", "none answers, so nothing is delivered; start one: tidings worker"]


def test_gateways_are_knocked_at(tidings: CommandLine, tmp_path: Path, gateway: str) -> None:
    tidings.open_shop(tmp_path)
    tidings.lines("wallet", "put", "GCASH", "--gateway", gateway)
    tidings.lines("wallet", "put", "TNG", "--gateway", f"http://{HOST}:{free_port()}")
    context, _ = tls_for("localhost", tmp_path)

    with receiver_beside(context) as strange:
        tidings.lines("wallet", "put", "ZPAY", "--gateway", f"https://localhost:{strange.port}")
        _, found = diagnosed(tidings)

    assert found["templates"] == [("ok", "1 live")]
    assert found["wallets"] == [("ok", "3 known")]
    (reached, away, untrusted) = found["gateways"]
    assert untrusted[0] == "error"
    assert untrusted[1].startswith("zpay has no certificate that is trusted at https://localhost:")
    assert reached == ("ok", "gcash takes connections")
    assert away[0] == "error"
    assert away[1].startswith(f"tng takes no connection at http://{HOST}:")


def test_no_password_is_shown(tidings: CommandLine) -> None:
    away = f"redis://someone:hidden@{HOST}:{free_port()}/0"

    results = [tidings("doctor", *flags, redis_url=away, broker_url=away) for flags in ([], ["--json"])]

    for result in results:
        assert result.exit_code == 1
        assert "someone:***@" in result.stdout
        assert "hidden" not in result.output
        assert SECRET not in result.output


def test_what_is_away_is_an_error_and_what_needs_it_is_left_out(tidings: CommandLine) -> None:
    away = f"redis://{HOST}:{free_port()}/0"

    code, found = diagnosed(tidings, redis_url=away, broker_url=away)

    assert code == 1
    assert list(found) == ["build", "settings", "ledger", "broker"]
    assert [found[name][0][0] for name in found] == ["ok", "ok", "error", "error"]


def test_settings_that_do_not_fit_the_ledger_are_an_error(tidings: CommandLine) -> None:
    diagnosed(tidings)

    code, found = diagnosed(tidings, shards="3")

    assert code == 1
    assert found["ledger"][0][0] == "error"
    assert "its settings need" in found["ledger"][0][1]


def test_an_api_whose_settings_do_not_fit_the_ledger_does_not_start(tidings: CommandLine) -> None:
    tidings.lines("wallet", "list")

    refused = tidings.refused("serve", "--port", "0", shards="3")

    assert refused.startswith("this Redis holds a ledger with ")


def test_a_broker_that_nothing_can_reach_is_an_error(tidings: CommandLine) -> None:
    _, found = diagnosed(tidings, broker_url="nonsense://h")

    ((severity, what),) = found["broker"]
    assert severity == "error"
    assert what.startswith("TIDINGS_BROKER_URL: no broker can be reached by this nonsense:// URL")


def test_a_wrong_setting_is_an_error_of_its_own(tidings: CommandLine) -> None:
    code, found = diagnosed(tidings, lease="soon")

    assert code == 1
    ((severity, what),) = found["settings"]
    assert severity == "error"
    assert "TIDINGS_LEASE" in what


def test_an_embedded_valkey_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    embedded = CommandLine("")

    code, found = diagnosed(embedded, data_dir=str(nowhere))

    assert code == 1
    ((severity, what),) = found["ledger"]
    assert severity == "error"
    assert "TIDINGS_DATA_DIR" in what


def test_a_secret_that_only_the_api_needs_is_a_warning(tidings: CommandLine) -> None:
    code, found = diagnosed(tidings, token_secret="")

    assert [severity for severity, _ in found["settings"]] == ["warning"]
    assert code == 1  # no worker


def test_a_server_that_keeps_nothing_is_told_by_readyz_the_logs_and_the_doctor(tmp_path: Path) -> None:
    with valkey(tmp_path / "store") as store:
        store.start("--appendonly", "no")
        with served(tmp_path / "api", store.url) as server:
            ready = server.get("/readyz")
            server.command.until_printed("ledger_not_durable")
        settings = {"redis_url": store.url, "token_secret": TOKEN_SECRET}
        with command(tmp_path / "worker", "worker", "--children", "1", **settings) as worker:
            worker.until_printed("ledger_not_durable")
            worker.until_printed("ready.")
            _, found = diagnosed(CommandLine(store.url))

    assert ready.status == 200
    (warning,) = ready.body["warnings"]
    assert (warning["store"], warning["severity"]) == ("ledger", "warning")
    assert found["durability"] == [("warning", warning["what"])]
    ((severity, workers),) = found["workers"]
    assert severity == "ok"
    assert workers.startswith("1 alive: tidings-")


def test_the_documented_setting_is_the_default_of_the_embedded_valkey(tmp_path: Path) -> None:
    embedded = CommandLine("")

    _, found = diagnosed(embedded, data_dir=str(tmp_path))

    assert Settings().redis_url == ""
    assert found["durability"] == [("ok", "nothing is evicted, and what is taken is written to disk")]


def test_a_batch_job_that_nobody_looks_after_is_named(tidings: CommandLine) -> None:
    async def decide(services: Services) -> None:
        await services.batch_jobs.create(Origin("shop", "june"), b"{}", -1)

    tidings.on_services(decide)

    assert diagnosed(tidings)[1]["batches"] == [
        ("warning", "nobody looks after 1 batch job, shop june for one: what was decided of them may not be done")
    ]
