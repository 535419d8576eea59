"""What drills found: as JSON for machines, and from that as the cells of a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from api_adapter.drill.row import Row
from worker.contract.codes import ResultStatus

_COLUMNS = {
    "accepted": "accepted",
    "delivered": "delivered",
    "S": "S",
    "F": "F",
    "U": "U",
    "lost": "lost",
    "duplicates": "duplicates",
    "repeatedAnswerLost": "repeated calls (answer lost)",
    "repeatedAfterOutcome": "repeated calls (after a recorded outcome)",
    "frozenBeforeWrite": "calls of a frozen process",
    "longestStall": "longest stall, s",
    "recovery": "recovery, s",
}
"""The numbers of a row, by their names in JSON, and what a table calls them."""
HEADINGS = ("fault", *_COLUMNS.values())
_MOST_NAMES = 20


def as_json(row: Row) -> dict[str, Any]:
    """Return everything of a row; times in seconds."""
    counts = row.counts
    return {
        "fault": row.fault,
        "ok": row.good,
        "atRisk": row.at_risk,
        "accepted": counts.accepted,
        "delivered": counts.delivered,
        **{status.value: counts.states.get(status, 0) for status in (ResultStatus.S, ResultStatus.F, ResultStatus.U)},
        "lost": len(counts.lost),
        "duplicates": counts.duplicates,
        "repeatedAnswerLost": counts.answer_lost,
        "repeatedAfterOutcome": counts.after_outcome,
        "frozenBeforeWrite": counts.frozen,
        "longestStall": round(counts.stall, 3),
        "recovery": None if counts.recovery is None else round(counts.recovery, 3),
        "problems": list(row.problems),
        "lostKeys": list(counts.lost[:_MOST_NAMES]),
    }


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a row of JSON as texts, one for each heading."""
    name = f"{row['fault']} (at risk)" if row["atRisk"] else row["fault"]
    return (name, *(_cell(row[column]) for column in _COLUMNS))


def markdown(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Markdown table of rows of JSON."""
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{'--|' * len(HEADINGS)}"
    for row in rows:
        yield f"| {' | '.join(cells(row))} |"


def _cell(value: float | None) -> str:
    match value:
        case None:
            return "-"
        case int():
            return f"{value:,}"
        case _:
            return f"{value:.1f}"
