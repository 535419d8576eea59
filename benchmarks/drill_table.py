"""Puts the rows of a drill into the README.

tidings drill all --json > benchmarks/results/drill.json && python -m benchmarks.drill_table
"""

import json
import re
from pathlib import Path

from api_adapter.drill.report import markdown

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "drill.json"
README = ROOT / "README.md"
_PLACE = re.compile(r"(?<=<!-- drills -->\n).*(?=<!-- /drills -->)", re.DOTALL)


def main() -> None:
    """Write the table between its marks."""
    lines = "".join(f"{line}\n" for line in markdown(json.loads(RESULTS.read_text())))
    README.write_text(_PLACE.sub(lambda _: lines, README.read_text()))


if __name__ == "__main__":
    main()
