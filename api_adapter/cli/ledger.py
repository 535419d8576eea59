"""`tidings ledger`: whether every delivery that was ever taken is accounted for."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.ledger_faults import fault_lines, faults_json
from api_adapter.cli.ledger_repairs import repair_lines, repairs_json
from api_adapter.cli.printing import AsJson, counted, print_json
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from worker.contract.audits import ShardAudit
from worker.contract.messages import Channel
from worker.contract.outcomes import Tally
from worker.contract.repairs import ShardRepair

app = typer.Typer(help="Prove that every delivery is accounted for.", no_args_is_help=True)

EXIT_UNBALANCED = 1
_COLUMNS = ("accepted", "S", "F", "U", "open", "forgotten")

Tallies = Mapping[tuple[str, Channel], Tally]


@dataclass(frozen=True, slots=True)
class Check:
    """What the counters and the records say."""

    tallies: Tallies
    audits: tuple[ShardAudit, ...]

    @property
    def total(self) -> Tally:
        """The sum over everything."""
        return sum(self.tallies.values(), Tally())

    @property
    def balanced(self) -> bool:
        """Whether the counters add up, for each appId and channel."""
        return all(tally.balanced for tally in self.tallies.values())

    @property
    def records(self) -> int:
        """How many records were read."""
        return sum(audit.records for audit in self.audits)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.balanced and all(audit.clean for audit in self.audits)


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be said."""

    check: Check
    """The ledger as it is now."""
    repairs: tuple[ShardRepair, ...] | None
    """What was mended before; None where nobody asked for it."""


@app.callback()
def ledger() -> None:
    """Prove that every delivery is accounted for."""


@app.command(
    epilog="Examples:\n\ntidings ledger check\n\ntidings ledger check --names 100 --json\n\n"
    "tidings ledger check --repair\n\n"
    "Exit code: 0 all is accounted for (with --repair: by now), 1 something is not.",
)
def check(
    *,
    names: Annotated[int, typer.Option(min=0, help="Most requestIds to name of those that differ.")] = 20,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs, then check again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that accepted = S + F + U + open + forgotten, by app and channel, and prove it from the records.

    Counts deliveries, one for each channel of a message. Every record is read: the counters must equal them, and so
    must those of batches; every open message must be due, scheduled or in a backlog, and no final one may be. A
    callback that is to be made must be in the outbox or in its merchant's queue. It changes nothing and may run at any
    time.

    --repair puts what is misplaced where its record says it belongs, and sets counters to what the records say. It may
    run while workers do: each fault is looked at once more before it is mended. Records that are gone stay gone, so
    look at what differs first. Counters that keep moving are left as they are; repeat it at a quieter time.
    """
    with told():
        report = run(_repaired if repair else _proved)
        if as_json:
            print_json(_json(report, names))
        else:
            _print(report, names)
        raise typer.Exit(0 if report.check.clean else EXIT_UNBALANCED)


async def _proved(services: Services) -> Report:
    return Report(await _check(services), None)


async def _repaired(services: Services) -> Report:
    before = await _check(services)
    repairs = [repair async for repair in services.repair.mend(before.audits)]
    return Report(before if before.clean else await _check(services), tuple(repairs))


async def _check(services: Services) -> Check:
    tallies = await services.records.tallies()
    audits: list[ShardAudit] = []
    with progress(Work("ledger check", "record", len(services.keys.slots())), services.clock) as meter:
        async for audit in services.audit.shards():
            audits.append(audit)
            meter.advance(len(audits), sum(audit.records for audit in audits))
    return Check(tallies, tuple(audits))


def _conservation(total: Tally) -> str:
    """Return the line that has to be true."""
    parts = " + ".join(f"{name} {getattr(total, name):,}" for name in _COLUMNS[1:])
    return f"accepted {total.accepted:,} {'=' if total.balanced else '!='} {parts}"


def _print(report: Report, names: int) -> None:
    found = report.check
    for line in repair_lines(report.repairs, names) if report.repairs is not None else ():
        say(line)
    if found.tallies:
        show_table(("App", "Channel", *_COLUMNS), _rows(found.tallies))
    say(_conservation(found.total))
    if found.clean:
        say(f"proved from {counted(found.records, 'record')}: all is accounted for")
        return
    for line in _faults(found, names):
        say(line)


def _rows(tallies: Tallies) -> Iterator[tuple[str, ...]]:
    for (app_id, channel), tally in sorted(tallies.items()):
        yield app_id, channel, *(f"{getattr(tally, name):,}" for name in _COLUMNS)


def _faults(found: Check, names: int) -> Iterator[str]:
    for (app_id, channel), tally in sorted(found.tallies.items()):
        if not tally.balanced:
            yield f"app {app_id}, {channel}: the counters do not add up: {_conservation(tally)}"
    yield from fault_lines(found.audits, names)


def _json(report: Report, names: int) -> dict[str, object]:
    found = report.check
    repaired = {} if report.repairs is None else {"repaired": repairs_json(report.repairs, names)}
    return {
        **repaired,
        "clean": found.clean,
        "balanced": found.balanced,
        "total": asdict(found.total),
        "tallies": [
            {"appId": app_id, "channel": channel, **asdict(tally), "balanced": tally.balanced}
            for (app_id, channel), tally in sorted(found.tallies.items())
        ],
        "records": found.records,
        **faults_json(found.audits, names),
    }
