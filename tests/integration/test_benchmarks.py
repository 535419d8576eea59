"""Each benchmark in small, so that it works when somebody needs its figures. No figure is looked at."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from benchmarks.api_process import api
from benchmarks.main_job import report_of, take_turns
from benchmarks.rounds import VoidError, play
from benchmarks.signatures import Way, key_pair, prove
from benchmarks.stack import ROOT, Servers, servers, started
from benchmarks.systems import TWENTY
from worker.signatures import Signer

SMALL = {
    "gateway_limit": "gateway --deliveries 400",
    "main_job": "main --rounds 1 --scale 0.01 --systems tidings",
    "scaling": "scaling --processes 1 2 --seconds 0.5 --rounds 1",
    "fairness": "fairness --large 4000 --small 2000",
    "latency": "latency --messages 100 --seconds 1 --connections 4",
    "signatures": "signatures --messages 50 --rounds 1 --connections 4",
    "backlog": "backlog --sizes 100 300 --least 200",
    "lookup": "lookup --messages 200 --ids 400",
    "budget": "budget --messages 3000",
}


Running = Mapping[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture
def found() -> Iterator[Servers]:
    with servers() as running:
        yield running


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Running]]:
    """Some at a time, as most of it is waiting for processes to start."""
    into = tmp_path_factory.mktemp("benchmarks")

    def run(arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "benchmarks", *arguments.split(), "--into", str(into)]
        return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(4) as pool:
        yield into, {name: pool.submit(run, arguments) for name, arguments in SMALL.items()}


@pytest.mark.parametrize("name", SMALL)
def test_it_leaves_a_report_and_a_chart(name: str, results: tuple[Path, Running]) -> None:
    into, running = results

    done = running[name].result()

    assert done.returncode == 0, done.stderr
    assert json.loads((into / f"{name}.json").read_text())["machine"]
    assert ET.parse(into / f"{name}.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own


def test_a_round_counts_each_message_and_what_it_cost(found: Servers) -> None:
    result = play(TWENTY, found, 500)

    assert found.counts()["deliveredKeys"] == 1_000
    assert result.calls >= 50
    assert set(result.cpu) == {"producer", "workers", "redis", "gateway"}


def test_a_round_with_an_outcome_too_many_is_void(found: Servers) -> None:
    miscounting = replace(TWENTY, delivered=lambda servers: TWENTY.delivered(servers) + 1)

    with pytest.raises(VoidError, match="501 outcomes of 500"):
        play(miscounting, found, 500)


def test_a_system_that_refuses_to_accept_is_reported_as_void() -> None:
    broken = replace(TWENTY, producer=(sys.executable, "-c", "raise SystemExit('no')"))

    standings = take_turns([broken], 1, 0.01)

    report = report_of(broken, standings[broken.name], 0.01)
    assert report["rounds"] == 0
    assert "no" in report["void"][0]


def test_an_api_process_that_does_not_verify_is_no_benchmark_of_verifying(found: Servers) -> None:
    private, _ = key_pair()
    claimed = Way("verified")

    with api(found) as process, pytest.raises(VoidError, match="verified: signatures are not treated so"):
        prove(claimed, process, Signer(private, 1))


def test_whoever_a_system_leaves_behind_is_ended(tmp_path: Path) -> None:
    told = tmp_path / "child"
    leaves_a_child = (
        "import pathlib, subprocess, sys;"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"pathlib.Path({str(told)!r}).write_text(str(child.pid))"
    )

    with started([sys.executable, "-c", leaves_a_child], os.environ, tmp_path / "log") as parent:
        parent.wait()

    child = int(told.read_text())
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
