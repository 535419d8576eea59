"""`tidings batch errors`: the rejected rows, alone or joined with the file that they came from."""

import csv
import sys
from contextlib import closing
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.batch_asking import App, Batch, Name, Way, as_answered, with_way
from api_adapter.cli.printing import AsJson, counted, print_json
from api_adapter.cli.saying import say
from api_adapter.http.batch_jobs import CSV_COLUMNS
from worker.contract.batch_jobs import MAX_PARTS, MAX_ROWS, JobState

if TYPE_CHECKING:
    from api_adapter.client.batch_joining import PartsFile
    from api_adapter.client.join_outputs import Joined

EPILOG = (
    "Examples:\n\n"
    "tidings batch errors 333301 june notices.csv\n\n"
    "tidings batch errors 333301 june corrected.jsonl.gz --first-part 21\n\n"
    "tidings batch errors 333301 june part-7.csv --part 7\n\n"
    "tidings batch errors 333301 june notices.csv --url https://api.example --client-id merchant-1 --key merchant-1.pem"
    "\n\n"
    "tidings batch errors 333301 june > errors.csv\n\n"
    "notices.errors.csv tells of each rejected row its line in notices.csv, and why. notices.failed.csv has these rows "
    "as you wrote them, tokens too, in the same order: correct them there, and upload that file as it says."
)


@with_way
def errors(  # noqa: PLR0913 - a typer option is a parameter
    app_id: App,
    batch_id: Name,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The file that was uploaded; without, print CSV.")
    ] = None,
    *,
    first_part: Annotated[
        int, typer.Option(min=1, max=MAX_PARTS, help="Number of the file's first part, as at its upload.")
    ] = 1,
    part: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_PARTS, help="The file is this part, and was not cut by `tidings batch upload`."),
    ] = None,
    way: Way,
    as_json: AsJson = False,
) -> None:
    """Tell which rows were rejected, and write them down to be corrected and uploaded again.

    With FILE: FILE.failed.csv (or .jsonl, as FILE is) and FILE.errors.csv, there as a whole or not at all, and only if
    FILE still is what was uploaded. Without: part, row, requestId and reason, as CSV.
    """
    if part is not None and first_part != 1:
        raise ArgumentError("--part, --first-part: give one of them")

    if file is None:
        way.ask(app_id, batch_id, _print)
        return
    from api_adapter.client.batch_joining import cut_file, one_part  # noqa: PLC0415 - who prints needs none of it

    wanted = cut_file(file, first_part) if part is None else one_part(file, part)
    done = way.ask(app_id, batch_id, lambda batch: _join(batch, wanted))
    if as_json:
        print_json(_done_json(done))
    else:
        _tell(done, app_id, batch_id, way)


class _Done(NamedTuple):
    joined: "Joined"
    elsewhere: int
    """Rejected rows of other parts than the file's."""
    next_part: int | None
    """Number under which the corrected rows may be uploaded to the same batch; None: to another one."""


async def _print(batch: Batch) -> None:
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    async for error in batch.errors():
        writer.writerow(as_answered(error))


async def _join(batch: Batch, file: "PartsFile") -> _Done:
    from api_adapter.client.batch_joining import Joining  # noqa: PLC0415 - as above

    lint = await batch.lint()
    with closing(Joining([file], lint)) as joining:
        joining.begin()
        async for error in batch.errors():
            joining.take([error])
        (joined,) = joining.finish()
    rows = sum(part["rows"] for part in lint.parts) + joined.rejected
    status = await batch.status()
    has_room = rows <= MAX_ROWS and lint.next_part <= MAX_PARTS and status.state != JobState.CANCELLED
    return _Done(joined, joining.elsewhere, lint.next_part if has_room else None)


def _tell(done: _Done, app_id: str, batch_id: str, way: Way) -> None:
    joined = done.joined
    say(f"{counted(joined.rejected, 'row')} of {joined.file} rejected")
    if joined.failed is not None:
        say(f"{joined.errors}: the line of each, and why")
        say(f"{joined.failed}: the rows as you wrote them, in the same order; correct them there, then:")
        number = [] if done.next_part is None else ["--first-part", str(done.next_part)]
        command = join(["tidings", "batch", "upload", app_id, batch_id, str(joined.failed), *number])
        say("", way.command(command))
    if joined.failed is not None and done.next_part is None:
        say("but under another BATCHID, which you create: this batch takes no more rows")
    if done.elsewhere:
        say(f"not in this file: {counted(done.elsewhere, 'rejected row')} of other parts")


def _done_json(done: _Done) -> dict[str, object]:
    joined = done.joined
    return {
        "file": str(joined.file),
        "rejected": joined.rejected,
        "failed": None if joined.failed is None else str(joined.failed),
        "errors": None if joined.errors is None else str(joined.errors),
        "rejectedElsewhere": done.elsewhere,
        "nextPart": done.next_part,
    }
