"""The tables of README and docs/performance.md and the charts, made from the JSON files, so that they can't differ.

A table stands between `<!-- bench: NAME -->` and `<!-- /bench -->`; NAME is one of `benchmarks.tables.TABLES`.
"""

import re
from pathlib import Path

from benchmarks.catalogue import BENCHMARKS
from benchmarks.results_file import CHARTS, read
from benchmarks.stack import ROOT
from benchmarks.tables import TABLES

PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
_PLACE = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def render() -> None:
    """Write all pages and charts anew."""
    for path, text in {**charts(), **{page: rendered(page) for page in PAGES}}.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def rendered(page: Path) -> str:
    """Return a page with its tables as the JSON files have them."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page.read_text(encoding="utf-8"))


def charts() -> dict[Path, str]:
    """Return each chart as the JSON files have it."""
    return {CHARTS / f"{one.NAME}.svg": one.chart(read(one.NAME)) for one in BENCHMARKS.values()}
