"""What the demo found out, as tables for people and as JSON for machines."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from api_adapter.demo.load import Sent
from api_adapter.demo.scenario import Notice, Via
from api_adapter.demo.verdict import Evidence, Repeat, problems, total
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel
from worker.contract.outcomes import MessageOutcome, Tally

_GAP = (0, 3, 0, 0)
"""Blank cells around a cell of a table, clockwise from above."""
_SLOWEST = 5
_MOST_DEAD = 10
_MOST_PROBLEMS = 20
_SHARE = 0.9
"""Part of all deliveries that the rate counts: the rest waits on purpose for gateways that fail."""


@dataclass(frozen=True, slots=True)
class Line:
    """One notice in a table."""

    request_id: str
    status: ResultStatus
    code: str
    """Of the first channel that is not S."""
    dead: str
    """DeadCause, or empty."""
    seconds: float | None
    """From accepted to settled."""
    tries: int
    fault: str


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast it went, a second."""

    accepted_over_http: float
    accepted_by_batch: float
    delivered: float
    """Deliveries with S, until nine tenths of them were there."""
    seconds: float
    """From the first acceptance until then."""


@dataclass(frozen=True, slots=True)
class Report:
    """The demo's result."""

    messages: int
    problems: list[str]
    tallies: Mapping[Channel, Tally]
    slowest: list[Line]
    dead: list[Line]
    rates: Rates
    counts: Mapping[str, Any]
    repeat: Repeat

    @property
    def is_good(self) -> bool:
        """Whether every notice is accounted for and none was delivered twice."""
        return not self.problems


def make_report(evidence: Evidence, sent: Sent) -> Report:
    """Return the result of a demo."""
    lines = list(_lines(evidence.notices, evidence.outcomes))
    settled = [line for line in lines if line.seconds is not None]
    return Report(
        messages=len(evidence.notices),
        problems=problems(evidence),
        tallies=evidence.tallies,
        slowest=sorted(settled, key=lambda line: line.seconds or 0.0, reverse=True)[:_SLOWEST],
        dead=[line for line in lines if line.dead],
        rates=_rates(list(evidence.outcomes.values()), sent),
        counts=evidence.counts,
        repeat=evidence.repeat,
    )


def as_json(report: Report) -> dict[str, Any]:
    """Return everything, for programs; names are spelled as in the API."""
    whole = total(report.tallies)
    return {
        "ok": report.is_good,
        "problems": report.problems,
        "messages": report.messages,
        "channels": {channel.value: asdict(tally) for channel, tally in report.tallies.items()},
        "conservation": {**asdict(whole), "balanced": whole.balanced},
        "slowest": [_fields(line) for line in report.slowest],
        "deadLetters": [_fields(line) for line in report.dead],
        "perSecond": _fields(report.rates),
        "simulator": dict(report.counts),
        "sentTwice": {**_fields(report.repeat), "changedNothing": report.repeat.changed_nothing},
    }


def _fields(part: Line | Rates | Repeat) -> dict[str, Any]:
    return {re.sub("_(.)", lambda found: found[1].upper(), name): value for name, value in asdict(part).items()}


def show(report: Report, console: Console) -> None:
    """Print everything, for people."""
    for part in (
        _outcomes(report.tallies),
        _conservation(total(report.tallies)),
        "",
        _table("The five slowest, from accepted to settled", report.slowest),
        "",
        _table("Dead letters: kept until somebody replays or discards them", report.dead[:_MOST_DEAD]),
        *_more("dead letters", len(report.dead) - _MOST_DEAD),
        "",
        _facts(report),
        "",
        *_verdict(report),
    ):
        console.print(part)


def _lines(notices: Sequence[Notice], outcomes: Mapping[str, MessageOutcome]) -> Iterator[Line]:
    for notice in notices:
        outcome = outcomes.get(notice.request_id)
        if outcome is not None:
            yield _line(notice, outcome)


def _line(notice: Notice, outcome: MessageOutcome) -> Line:
    codes = [one.code for one in outcome.deliveries if one.status not in {None, ResultStatus.S}]
    settled_at = outcome.settled_at
    return Line(
        request_id=notice.request_id,
        status=outcome.whole.status,
        code=codes[0] if codes else "",
        dead=outcome.dead_cause,
        seconds=None if settled_at is None else (settled_at - outcome.taken_at) / 1000,
        tries=outcome.tries,
        fault=notice.fault,
    )


def _rates(outcomes: Sequence[MessageOutcome], sent: Sent) -> Rates:
    started = min((outcome.taken_at for outcome in outcomes), default=0)
    delivered = sorted(
        one.at
        for outcome in outcomes
        for one in outcome.deliveries
        if one.status is ResultStatus.S and one.at is not None
    )
    counted = delivered[: int(len(delivered) * _SHARE)]
    seconds = (counted[-1] - started) / 1000 if counted else 0.0
    return Rates(
        accepted_over_http=sent.per_second(Via.HTTP),
        accepted_by_batch=sent.per_second(Via.BATCH),
        delivered=len(counted) / seconds if seconds else 0.0,
        seconds=seconds,
    )


def outcome_row(channel: str, tally: Tally) -> tuple[str, ...]:
    """Return a row of numbers for the columns of `outcome_table`."""
    numbers = (tally.accepted, tally.S, tally.F, tally.U, tally.open, tally.forgotten)
    return (channel, *(f"{number:,}" for number in numbers))


def outcome_table() -> Table:
    """Return an empty table of deliveries by channel and status."""
    table = Table("channel", title_justify="left", box=None, header_style="dim", padding=_GAP)
    for heading in ("accepted", "S", "F", "U", "open", "forgotten"):
        table.add_column(heading, justify="right", min_width=7)
    return table


def _outcomes(tallies: Mapping[Channel, Tally]) -> Table:
    table = outcome_table()
    table.title = "[bold not italic]Deliveries[/], a message on one channel each"
    for channel, tally in tallies.items():
        table.add_row(*outcome_row(channel, tally))
    return table


def _conservation(tally: Tally) -> str:
    parts = f"S {tally.S:,} + F {tally.F:,} + U {tally.U:,} + open {tally.open:,} + forgotten {tally.forgotten:,}"
    mark = "[green]=[/]" if tally.balanced else "[bold red]≠[/]"
    return f"\naccepted {tally.accepted:,} {mark} {parts}"


def _table(title: str, lines: Sequence[Line]) -> Table | str:
    if not lines:
        return f"[bold]{title}[/]: none"
    table = Table(
        title=f"[bold not italic]{title}[/]", title_justify="left", box=None, header_style="dim", padding=_GAP
    )
    for heading in ("request", "ends", "tries", "seconds", "why", "what its gateway does"):
        table.add_column(heading, justify="right" if heading in {"tries", "seconds"} else "left")
    for line in lines:
        seconds = "" if line.seconds is None else f"{line.seconds:.1f}"
        table.add_row(line.request_id, line.status, str(line.tries), seconds, line.dead or line.code, line.fault)
    return table


def _more(what: str, number: int) -> list[str]:
    return [f"... and {number} more {what}"] if number > 0 else []


def _facts(report: Report) -> Table:
    rates, counts, repeat = report.rates, report.counts, report.repeat
    table = Table.grid(padding=(0, 2))
    table.add_row("[bold]Accepted[/]", f"{rates.accepted_over_http:,.0f}/s over HTTP")
    table.add_row("", f"{rates.accepted_by_batch:,.0f}/s by batch, both at the same time")
    table.add_row("[bold]Delivered[/]", f"{rates.delivered:,.0f}/s, until 90 % were there after {rates.seconds:.1f} s")
    table.add_row("[bold]Simulator[/]", f"{counts['delivered']:,} delivered, {counts['deliveredTwice']:,} twice")
    table.add_row("", f"{counts['repeatedCalls']:,} times asked again for what users had: not shown again")
    done = "same messageId, taken once" if repeat.changed_nothing else "[bold red]taken again[/]"
    table.add_row("[bold]Sent twice[/]", f"{repeat.request_id}: {done}")
    return table


def _verdict(report: Report) -> list[str]:
    if report.is_good:
        return [
            f"[bold green]Every one of the {report.messages:,} notices is accounted for[/]: looked up, S, or F or",
            "U exactly where its gateway made it so, and none was delivered twice.",
        ]
    shown = [f"  {problem}" for problem in report.problems[:_MOST_PROBLEMS]]
    more = _more("problems", len(report.problems) - _MOST_PROBLEMS)
    return [f"[bold red]{len(report.problems):,} problems:[/]", *shown, *more]
