"""`tidings reconcile`: a day's settlement file, or a merchant's books beside the ledger."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from api_adapter.books import read_books
from api_adapter.cli.api_access import ApiOptions, Key, KeyVersion, ServerKey, ServerKeyVersion, Url
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.reconcile_books import Compare, Telling, over_the_api, with_the_ledger
from api_adapter.cli.settlement_file import default_file, read_day, settle, tell
from worker.clock import SystemClock

EXIT_DIFFERENT = 1
STDIN: Final = "-"
EPILOG: Final = (
    "Examples:\n\n"
    "tidings reconcile --date 2031-05-01 --time-zone Asia/Manila\n\n"
    "tidings reconcile books.csv --app-id 333301\n\n"
    "tidings reconcile notices.results.jsonl --app-id 333301 --url https://api.example --client-id merchant-1 "
    "--key merchant-1.pem\n\n"
    "A line of the books is REQUEST_ID, REQUEST_ID,STATUS (S, U, F or NEVER_SEEN), or JSON with requestId and perhaps "
    "appId and status; results and files of tidings send are such JSON.\n\n"
    "Exit code: 0 the books agree, or the settlement file is written; 1 some differ; 2 it could not look."
)


def reconcile(  # noqa: PLR0913 - a typer option is a parameter
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE|-", help="Your books: a requestId a line; - reads standard input."),
    ] = None,
    *,
    date: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="Instead of books: write the settlement file of that day."),
    ] = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="Of --date, such as Asia/Manila.")] = "UTC",
    app_id: Annotated[str | None, typer.Option(help="The mini program; all, for a settlement file.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Where the settlement file goes; default: settlement-DATE.csv."),
    ] = None,
    client_id: Annotated[str, typer.Option(help="With --url: who asks.")] = "tidings-cli",
    url: Url = None,
    key: Key = None,
    key_version: KeyVersion = 1,
    server_key: ServerKey = None,
    server_key_version: ServerKeyVersion = 1,
    as_json: AsJson = False,
) -> None:
    """Write a day's settlement file, or say where your books differ from the ledger.

    The settlement file has a row for every message that was taken on that day: its outcome, that of each channel,
    times and codes. What is still open is U, with the time by which it is settled.
    """
    with told():
        options = ApiOptions(url, key, key_version, server_key, server_key_version)
        if (file is None) == (date is None):
            raise ArgumentError("FILE, --date: give one of them: books to compare, or a day")
        if file is not None:
            if out is not None:
                raise ArgumentError("--out: is for --date; differences are printed")
            _compare(file, app_id, options, client_id, Telling(as_json))
        if date is not None:
            if url is not None:
                raise ArgumentError("--url: has no settlement files; whoever runs tidings writes them")
            _settle(date, time_zone, app_id, out, as_json=as_json)


def _settle(date: str, time_zone: str, app_id: str | None, out: Path | None, *, as_json: bool) -> None:
    day = read_day(date, time_zone, app_id)
    target = out or default_file(day)
    tell(day, target, run(lambda services: settle(services, day, target)), as_json=as_json)


def _compare(file: str, app_id: str | None, options: ApiOptions, client_id: str, telling: Telling) -> None:
    with _opened(file) as books:

        async def compare_all(compare: Compare) -> None:
            with progress(Work("reconcile", "message", None), SystemClock()) as meter:
                await telling.compare_all(
                    read_books(books, app_id), compare, lambda number: meter.advance(number, number)
                )

        async def with_settings(services: Services) -> None:
            await compare_all(with_the_ledger(services.records))

        async def as_a_merchant() -> None:
            async with over_the_api(options.access(client_id)) as compare:
                await compare_all(compare)

        if options.url is None:
            run(with_settings)
        else:
            asyncio.run(as_a_merchant())
    telling.end()
    raise typer.Exit(EXIT_DIFFERENT if telling.counts.differing else 0)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    try:
        opened = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise ArgumentError(f"FILE: can't be read ({error.strerror})") from error
    with opened:
        yield opened
