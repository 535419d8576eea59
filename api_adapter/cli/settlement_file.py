"""The file of a day's settlement: which day, where it goes, and what is said of it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services
from api_adapter.cli.printing import counted, print_json, utc
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import say
from api_adapter.settlement import Settlement, Unsorted
from worker.contract.codes import ResultStatus
from worker.contract.errors import TidingsError
from worker.contract.quiet_hours import known_time_zone
from worker.contract.settlements import Span


class SettlementError(TidingsError):
    """The file can't be written; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a time zone, of one appId or of all."""

    date: str
    zone: str
    span: Span


def read_day(day: str, zone: str, app_id: str | None) -> Day:
    """Return the day that `--date` and `--time-zone` name; raise ArgumentError."""
    try:
        first = date.fromisoformat(day)
        following = first + timedelta(days=1)
    except (ValueError, OverflowError):
        raise ArgumentError("--date: must be a day such as 2031-05-01") from None
    try:
        found = ZoneInfo(known_time_zone(zone))
    except ValueError as error:
        raise ArgumentError(f"--time-zone: {error}") from None
    return Day(first.isoformat(), zone, Span(_midnight(first, found), _midnight(following, found), app_id))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000


def default_file(day: Day) -> Path:
    """Return where the file goes if nobody says."""
    return Path(f"settlement-{day.span.app_id}-{day.date}.csv" if day.span.app_id else f"settlement-{day.date}.csv")


async def settle(found: Services, day: Day, target: Path) -> Settlement:
    """Write the file, whole or not at all; raise SettlementError, LedgerUnavailableError."""
    with _written(target) as (part, spare):
        rows = Unsorted(spare)
        with progress(Work("settlement", "record", None), found.clock) as meter:
            for warning in _warnings(found, day):
                meter.say(warning)
            await rows.collect(found.settlement.taken(day.span), lambda number: meter.advance(number, number))
        with part.open("wb") as file, progress(Work("writing", "row", rows.rows), found.clock) as meter:
            settlement = await rows.write(file, lambda number: meter.advance(number, number))
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        return settlement


@contextmanager
def _written(target: Path) -> Iterator[tuple[Path, Path]]:
    """Give a place for the file until it is whole, and one for what it is made of."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as directory:
            spare = Path(directory, "rows")
            spare.mkdir()
            yield Path(directory, "part"), spare
    except OSError as error:
        raise SettlementError(f"--out: {target} can't be written ({error.strerror}); name another file") from error


def _warnings(found: Services, day: Day) -> Iterator[str]:
    now = found.clock.now()
    if now < day.span.end:
        yield f"the day is not over before {utc(day.span.end)}: what is taken later is not in the file"
    if day.span.start < now - found.settings.retention:
        yield "of a day so long ago some messages may be forgotten already (TIDINGS_RETENTION)"


def tell(day: Day, target: Path, settlement: Settlement, *, as_json: bool) -> None:
    """Print what is in the file, and its SHA-256 as `sha256sum -c` reads it."""
    counts = {status.value: settlement.statuses[status] for status in ResultStatus}
    if as_json:
        print_json(
            {
                "date": day.date,
                "timeZone": day.zone,
                "appId": day.span.app_id,
                "from": utc(day.span.start),
                "to": utc(day.span.end),
                "messages": settlement.messages,
                **counts,
                "file": str(target),
                "sha256": settlement.digest,
            },
        )
        return
    told = ", ".join(f"{status} {number:,}" for status, number in counts.items())
    say(f"{counted(settlement.messages, 'message')} of {day.date} ({day.zone}): {told}")
    typer.echo(f"{settlement.digest}  {target}")
