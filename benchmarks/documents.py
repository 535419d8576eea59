"""The tables of README and docs/performance.md, made from the JSON files, so that they can't say anything else.

A table stands between `<!-- bench: NAME -->` and `<!-- /bench -->`; NAME is one of `benchmarks.tables.TABLES`.
"""

import re
from pathlib import Path

from benchmarks.stack import ROOT
from benchmarks.tables import TABLES

PAGES = (ROOT / "README.md", ROOT / "docs" / "performance.md")
_PLACE = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def render() -> None:
    """Write all pages anew."""
    for page in PAGES:
        page.write_text(rendered(page), encoding="utf-8")


def rendered(page: Path) -> str:
    """Return a page with its tables as the JSON files have them."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page.read_text(encoding="utf-8"))
