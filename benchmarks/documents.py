"""The tables of README and docs/performance.md, made from the JSON files, so that they can't say anything else.

A table stands between `<!-- bench: NAME -->` and `<!-- /bench -->`; NAME is one of TABLES.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import main_job
from benchmarks.results_file import Report, read
from benchmarks.stack import ROOT
from benchmarks.systems import ALWAYS, CELERY, TWENTY

PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
_PLACE = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def render() -> None:
    """Write all pages anew."""
    for page in PAGES:
        page.write_text(rendered(page), encoding="utf-8")


def rendered(page: Path) -> str:
    """Return a page with its tables as the JSON files have them."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page.read_text(encoding="utf-8"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["--"] * len(head), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines).replace("| -- ", "|--").replace("--|", "--|")


def machine_line(report: Report) -> str:
    """Return what it was measured on, as a line."""
    return f"Measured on {report['machine']}, shared by everything.\n"


def headline() -> str:
    """Return the table of the README: the best known ratios."""
    report = read(main_job.NAME)
    measured = {name: one for name, one in report["systems"].items() if "deliver" in one}
    theirs = measured[CELERY.name]

    def row(name: str) -> list[str]:
        one = measured[name]
        accept, deliver = one["accept"]["median"], one["deliver"]["median"]
        ratios = accept / theirs["accept"]["median"], deliver / theirs["deliver"]["median"]
        return [name, f"{accept:,.0f}/s", f"{deliver:,.0f}/s", f"{ratios[0]:.1f}x", f"{ratios[1]:.1f}x"]

    head = ["", "accept, one process", "deliver to both channels", "accept, ratio", "deliver, ratio"]
    return table(head, map(row, measured)) + "\n" + machine_line(report)


def main_table() -> str:
    """Return accept and deliver of each system with spread and CPU."""
    report = read(main_job.NAME)
    rows = []
    for name, one in report["systems"].items():
        if "deliver" not in one:
            rows.append([name, *["void"] * 6])
            continue
        rates = [
            f"{one[key]['median']:,.0f} ({one[key]['min']:,.0f} to {one[key]['max']:,.0f})"
            for key in ("accept", "deliver")
        ]
        cpu = [f"{one['cpu_us'][process]['median']:,.0f}" for process in ("producer", "workers", "redis", "gateway")]
        rows.append([name, *rates, *cpu])
    void = {name: one["void"] for name, one in report["systems"].items() if one["void"]}
    head = ["", "accept/s", "deliver/s", "CPU us: producer", "workers", "Redis", "gateway"]
    voids = "".join(f"Void: {name}, {len(reasons)} rounds.\n" for name, reasons in void.items())
    rounds = max(one["rounds"] for one in report["systems"].values())
    packages = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return (
        table(head, rows)
        + f"\nMedians of {rounds} rounds, with least and greatest. {packages}.\n{machine_line(report)}{voids}"
    )


def always_ratio() -> str:
    """Return what `appendfsync always` costs."""
    systems = read(main_job.NAME)["systems"]
    rows = [
        [key, *(f"{systems[one.name][key]['median']:,.0f}/s" for one in (TWENTY, ALWAYS)), _share(systems, key)]
        for key in ("accept", "deliver")
    ]
    return table(["", "`everysec`", "`always`", "share"], rows)


def _share(systems: Report, key: str) -> str:
    return f"{systems[ALWAYS.name][key]['median'] / systems[TWENTY.name][key]['median']:.2f}"


TABLES: dict[str, Callable[[], str]] = {
    "headline": headline,
    "main": main_table,
    "always": always_ratio,
}
