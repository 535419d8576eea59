"""What a benchmark leaves in `results/`: JSON that names the machine, from which documents and charts are made."""

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import psutil

from benchmarks.stack import COMPILED, ROOT, allocator, product

Report: TypeAlias = dict[str, Any]
RESULTS = ROOT / "benchmarks" / "results"
CHARTS = ROOT / "docs" / "charts"


def leave(name: str, report: Report, chart: Callable[[Report], str], into: Path | None) -> None:
    """Write a benchmark's report and chart: into a directory, or where the documents have them."""
    (into or RESULTS).mkdir(parents=True, exist_ok=True)
    (into or CHARTS).mkdir(parents=True, exist_ok=True)
    ((into or RESULTS) / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    ((into or CHARTS) / f"{name}.svg").write_text(chart(report), encoding="utf-8")


def read(name: str) -> Report:
    """Return a benchmark's report, as the documents have it."""
    report: Report = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return report


def machine(home: Path | None = None) -> str:
    """Return what figures are about to be measured on, and how busy it is already.

    The product runs from `home`, or from where it does if none is named.
    """
    memory = round(psutil.virtual_memory().total / 2**30)
    parts = f"{os.cpu_count()} cores, {memory} GiB, {platform.machine()}, Python {platform.python_version()}"
    compiled = "tidings compiled" if (home or product()) == COMPILED else "tidings not compiled"
    allocates = "Valkey with jemalloc" if allocator() else "Valkey with the C library's allocator"
    return f"{parts}, {compiled}, {allocates}, load {os.getloadavg()[0]:.1f} before the run"


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return median, least and greatest of some values, to four figures."""
    found = sorted(values)
    return {"median": four(statistics.median(found)), "min": four(found[0]), "max": four(found[-1])}


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """Return p50, p99 and the greatest of some values, to four figures."""
    found = sorted(values)
    return {
        "p50": four(found[len(found) // 2]),
        "p99": four(found[min(len(found) - 1, len(found) * 99 // 100)]),
        "max": four(found[-1]),
    }


def four(value: float) -> float:
    """Return a value to four figures: there is no more in a measurement."""
    rounded = float(f"{value:.4g}")
    return int(rounded) if rounded.is_integer() else rounded
