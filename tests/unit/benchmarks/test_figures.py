import argparse
import subprocess
import sys

import pytest

from benchmarks.budget import minus, part_of, parted
from benchmarks.fairness import LARGE, SMALL, Sample, share
from benchmarks.main_job import Standing, report_of
from benchmarks.results_file import four, percentiles, spread
from benchmarks.rounds import Reading, Round
from benchmarks.scaling import rows_of
from benchmarks.signatures import Turn
from benchmarks.signatures import report_of as report_of_signatures
from benchmarks.smoke import FLOOR
from benchmarks.stack import ROOT
from benchmarks.systems import CELERY, PEERS

CPU = {"workers": 1.0, "redis": 0.5, "gateway": 0.25}


def test_a_spread_is_median_least_and_greatest() -> None:
    assert spread([3, 1, 2]) == {"median": 2, "min": 1, "max": 3}


def test_percentiles_of_a_hundred_values() -> None:
    assert percentiles(range(1, 101)) == {"p50": 51, "p99": 100, "max": 100}


@pytest.mark.parametrize(("value", "expected"), [(12345.6, 12350), (0.123456, 0.1235), (2.0, 2), (0, 0)])
def test_figures_have_four_digits(value: float, expected: float) -> None:
    assert four(value) == expected


def test_a_message_is_two_deliveries() -> None:
    begin = Reading(10.0, 20, CPU)
    end = Reading(12.0, 220, {name: used + 1 for name, used in CPU.items()})

    rate, cpu = end.since(begin)

    assert rate == 50
    assert cpu == {"workers": 10_000, "redis": 10_000, "gateway": 10_000}


def test_void_rounds_are_in_no_median_and_are_named() -> None:
    good = Round(100, 10, 4, 0, {"workers": 7.0})

    report = report_of(CELERY, Standing([good], ["9 outcomes of 10 recorded"]), 0.001)

    assert report["deliver"]["median"] == 10
    assert report["rounds"] == 1
    assert report["void"] == ["9 outcomes of 10 recorded"]


def test_a_system_whose_rounds_are_all_void_has_no_figures() -> None:
    report = report_of(CELERY, Standing([], ["lost"]), 1)

    assert not {"accept", "deliver", "cpu_us"} & set(report)


def test_a_share_is_that_of_the_time_when_both_batches_wait() -> None:
    samples = [
        Sample(0, {LARGE: 1000, SMALL: 0}),
        Sample(1, {LARGE: 1100, SMALL: 100}),
        Sample(2, {LARGE: 1300, SMALL: 300}),
        Sample(3, {LARGE: 1900, SMALL: 900}),
        Sample(4, {LARGE: 2900, SMALL: 1000}),
    ]

    assert share(samples, 1000) == 0.5


def test_a_batch_that_nobody_saw_drain_has_no_share() -> None:
    with pytest.raises(ValueError, match="more messages"):
        share([Sample(0, {LARGE: 1, SMALL: 10}), Sample(1, {LARGE: 5, SMALL: 10})], 10)


def test_linear_is_what_the_fewest_processes_give_times_their_number() -> None:
    rows = rows_of({1: [100.0], 4: [200.0]})

    assert [row["of_linear"] for row in rows] == [1, 0.5]


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        (["run (/v/lib/python3.11/asyncio/runners.py:1)"], "event loop"),
        (["x (/v/site-packages/celery/app.py:1)", "y (/p/worker/settling.py:2)"], "delivery loop"),
        (["y (/p/worker/settling.py:2)", "f (/p/worker/adapters/redis/ledger.py:9)"], "ledger: arguments and replies"),
        (["f (/p/worker/adapters/redis/ledger.py:9)", "g (/v/site-packages/redis/client.py:1)"], "Redis client"),
        (["g (/v/site-packages/redis/client.py:1)", "h (/v/site-packages/attrs/x.py:1)"], "Redis client"),
        (["bootstrap (/usr/lib/python3.11/threading.py:1)"], "Python itself"),
    ],
)
def test_a_stack_belongs_to_its_innermost_known_frame(frames: list[str], part: str) -> None:
    assert part_of(frames) == part


def test_samples_are_summed_by_part() -> None:
    raw = ["a (/p/worker/slots.py:1);b (/v/site-packages/kombu/x.py:2) 3", "a (/p/worker/slots.py:1) 2"]

    assert parted(raw) == {"Celery, kombu": 3, "delivery loop": 2}


def test_what_is_new_counts_from_nothing() -> None:
    assert minus({"a": 5, "b": 1}, {"a": 2}) == {"a": 3, "b": 1}


def test_each_peer_has_a_job_of_its_own() -> None:
    jobs = {peer.producer[-1] for peer in PEERS}

    assert len(jobs) == len(PEERS)
    assert all((ROOT / "benchmarks" / "peers" / f"{job}.py").is_file() for job in jobs)


def test_the_floor_of_the_smoke_run_can_be_given() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks", "smoke", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "--floor" in told.stdout
    assert FLOOR == 25


def test_what_signatures_cost_is_the_median_of_the_rounds_own_ratios() -> None:
    turns = {
        "off": [Turn(1_000, 100, {"p50": 1, "p99": 2}), Turn(4_000, 100, {"p50": 1, "p99": 2})],
        "on": [Turn(500, 150, {"p50": 2, "p99": 3}), Turn(3_000, 160, {"p50": 4, "p99": 5})],
    }

    report = report_of_signatures(turns, argparse.Namespace(connections=4, messages=10, rounds=2))

    assert report["ways"]["off"]["ratio"] == 1
    assert report["ways"]["on"]["ratio"] == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert report["ways"]["on"]["milliseconds"] == {"p50": 3, "p99": 4}
