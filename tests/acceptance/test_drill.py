"""Every fault of the catalogue, played small and scaled down; `make drill` plays them at the defaults."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from api_adapter.cli.main import app
from api_adapter.drill.faults import CATALOGUE
from api_adapter.drill.row import RECOVERED
from tests.stacks import ROOT, running, tidings, wait_until

Rows = Mapping[str, Mapping[str, Any]]

FEW = ("--messages", "200", "--outage", "2s")
HASTY = {
    "lease": 1_000,
    "grace": 300,
    "longest_grace": 1_000,
    "sweep_interval": 200,
    "call_timeout": 1_500,
    "backoff_base": 50,
    "backoff_cap": 200,
    "watchdog": 5_000,
}


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What a drill of the faults that are to be tested found; some at a time, as most of it is waiting."""
    asked = [item.callspec.params.get("fault") for item in request.session.items if hasattr(item, "callspec")]
    names = [fault.name for fault in CATALOGUE if fault.name in asked]
    directory = tmp_path_factory.mktemp("drill")
    environ = {f"TIDINGS_{name.upper()}": str(value) for name, value in {**HASTY, "data_dir": directory}.items()}
    arguments = ["drill", *names, *FEW, "--at-once", "4", "--json"]
    with capture_logs():
        result = CliRunner().invoke(app, arguments, env={**environ, "PYTHONPATH": str(ROOT)})
    assert result.exit_code in {0, 1}, result.output
    return {row["fault"]: row for row in json.loads(result.stdout)}


@pytest.mark.parametrize("fault", [fault.name for fault in CATALOGUE])
def test_at_this_fault_nothing_is_lost_or_doubled_and_delivery_goes_on(rows: Rows, fault: str) -> None:
    row = rows[fault]

    assert row["problems"] == []
    assert row["accepted"] > 0
    assert (row["duplicates"], row["repeatedAfterOutcome"]) == (0, 0)
    assert row["lost"] == 0 or row["atRisk"]
    assert row["recovery"] is None or row["recovery"] <= RECOVERED


def test_no_fault_but_the_loss_of_power_under_everysec_may_lose_anything() -> None:
    assert [fault.name for fault in CATALOGUE if fault.at_risk] == ["power-lost-everysec"]


def test_an_interrupt_in_the_middle_stops_everything_and_removes_its_data(tmp_path: Path) -> None:
    with tidings(tmp_path / "data", "drill", "worker-stopped", "poison", **HASTY) as command:
        command.until_printed("worker-stopped: sending")
        family = command.family()
        assert len(family) >= 10  # itself, Valkey, simulator, API and its process, two workers and their children
        # One that is stopped would not hear of it.
        os.kill(command.pid_of("worker-0"), signal.SIGSTOP)

        assert command.stopped_by(signal.SIGINT) == 130

    wait_until(lambda: running(family) == set(), "the end of everything")
    assert list((tmp_path / "data").iterdir()) == []
