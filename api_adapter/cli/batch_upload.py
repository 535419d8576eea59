"""`tidings batch upload`: a file of rows, in as many parts as it takes."""

from collections.abc import Callable
from pathlib import Path
from shlex import join
from typing import Annotated

import typer

from api_adapter.batch_files import UNKNOWN_FORMAT, format_of, opened, parts_of
from api_adapter.batch_records import RowFormat
from api_adapter.cancellation import heed_cancellation
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.batch_asking import Answer, App, Batch, Name, Way, as_answered, counts, with_way
from api_adapter.cli.printing import AsJson, print_json
from api_adapter.cli.saying import say, say_aside
from worker.contract.batch_jobs import MAX_PARTS
from worker.contract.errors import TidingsError

EXIT_REJECTED = 2
EPILOG = (
    "Examples:\n\n"
    "tidings batch upload 333301 june notices.jsonl.gz\n\n"
    "tidings batch upload 333301 june corrected.csv --first-part 21\n\n"
    "tidings batch upload 333301 june notices.csv --url https://api.example --client-id merchant-1 --key merchant-1.pem"
    "\n\n"
    "Interrupted? Run it again: the same file gives the same parts, and what was taken is not taken twice.\n\n"
    "Exit code: 0 all rows are held, 2 some were rejected: `tidings batch errors` gives them back to be corrected."
)


@with_way
def upload(
    app_id: App,
    batch_id: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines or CSV, .gz or not, by its name.")],
    *,
    first_part: Annotated[int, typer.Option(min=1, max=MAX_PARTS, help="Number of the file's first part.")] = 1,
    way: Way,
    as_json: AsJson = False,
) -> None:
    """Upload a file of rows in as many parts as it takes; they wait until `tidings batch run`."""
    rows = format_of(file)
    if rows is None:
        raise ArgumentError(f"FILE: {UNKNOWN_FORMAT}")

    def tell(part: Answer) -> None:
        if not as_json:
            say(f"part {part['part']}: {counts(part)}")

    try:
        parts = way.ask(app_id, batch_id, lambda batch: _upload(batch, rows, file, first_part, tell))
    except (OSError, EOFError) as error:
        raise ArgumentError(f"{file}: can't be read ({error})") from error
    if as_json:
        print_json(parts)
    if not any(part["rejected"] for part in parts):
        return
    more = [] if first_part == 1 else ["--first-part", str(first_part)]
    command = join(["tidings", "batch", "errors", app_id, batch_id, str(file), *more])
    say_aside("to get the rejected rows back:", way.command(command))
    raise typer.Exit(EXIT_REJECTED)


async def _upload(
    batch: Batch, rows: RowFormat, file: Path, first_part: int, tell: Callable[[Answer], None]
) -> list[Answer]:
    from api_adapter.cli.api_calls import said  # noqa: PLC0415 - `--help` needs none of it
    from api_adapter.client.batch_jobs import PartFormat  # noqa: PLC0415 - as above

    answers = []
    with opened(file) as stream:
        for number, (content, _) in enumerate(parts_of(rows, stream), first_part):
            try:
                answers.append(as_answered(await batch.upload(number, content, PartFormat(rows.value))))
            except TidingsError as error:
                raise ArgumentError(f"part {number}: {said(error)}") from error
            tell(answers[-1])
            heed_cancellation()
    return answers
