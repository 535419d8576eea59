"""`tidings batch`: batch jobs of merchants, by whoever runs tidings."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import orjson
import typer

from api_adapter.batch_files import UNKNOWN_FORMAT, format_of, opened, parts_of
from api_adapter.batch_jobs import BatchDesk
from api_adapter.batch_records import RowFormat
from api_adapter.batch_uploading import PartBody
from api_adapter.cli import batch_errors
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.batch_asking import Answer, App, Name, answer_of, checked, named, pages, parsed
from api_adapter.cli.context import Front, run, run_front, told
from api_adapter.cli.printing import AsJson, counted, harmless, print_json, utc
from api_adapter.cli.tables import show_table
from api_adapter.clients import CLIENT_ID
from api_adapter.decompressing import BodyTooLargeError, Encoding
from api_adapter.stack.cancellation import heed_cancellation
from worker.contract.batch_requests import BatchCreation, BatchName, BatchRun, PartName, ResultsPage
from worker.contract.codes import ResultStatus
from worker.contract.origins import Origin
from worker.contract.requests import ContractViolationError, parse_fields

EXIT_REJECTED = 2
UPLOAD_EPILOG = (
    "Examples:\n\n"
    "tidings batch upload 333301 june notices.jsonl.gz\n\n"
    "tidings batch upload 333301 june corrected.csv --first-part 21\n\n"
    "Interrupted? Run it again: the same file gives the same parts, and what was taken is not taken twice.\n\n"
    "Exit code: 0 all rows are held, 2 some were rejected: `tidings batch errors` gives them back to be corrected."
)
_PAGE = 1_000

app = typer.Typer(
    help="Batch jobs: up to 1,000,000 rows, uploaded in parts, held, then run, paused, resumed or cancelled as one.\n\n"
    "create, upload, lint, run; then status and results. Rejected rows: errors.",
    no_args_is_help=True,
)


@app.command(
    "create",
    epilog="Examples:\n\ntidings batch create 333301 june --common common.json\n\n"
    "tidings batch create 333301 june --common common.json --callback-outcomes FU --no-progress-callbacks",
)
def create(
    app_id: App,
    batch_id: Name,
    *,
    common: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="An object of what all rows share, such as templateCode, redirectUrl."),
    ] = None,
    callback_outcomes: Annotated[
        str | None,
        typer.Option(
            help="Of which outcomes callbacks tell, such as FU, of those of `tidings callback put`; '' for none.",
            show_default="all of them",
        ),
    ] = None,
    progress_callbacks: Annotated[
        bool | None,
        typer.Option(
            "--progress-callbacks/--no-progress-callbacks",
            help="Whether callbacks tell how far it is.",
            show_default="they do",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Define a batch. The same definition again changes nothing."""
    with told():
        fields = {} if common is None else _read_common(common)
        if callback_outcomes is not None:
            fields["callbackOutcomes"] = list(callback_outcomes)
        if progress_callbacks is not None:
            fields["progressCallbacks"] = progress_callbacks
        request = parsed(BatchCreation, {**fields, "appId": app_id, "batchId": batch_id})
        _show(answer_of(lambda desk: desk.create(request)), as_json=as_json)


@app.command("upload", epilog=UPLOAD_EPILOG)
def upload(
    app_id: App,
    batch_id: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines or CSV, .gz or not, by its name.")],
    *,
    first_part: Annotated[int, typer.Option(min=1, max=1_000, help="Number of the file's first part.")] = 1,
    client_id: Annotated[str, typer.Option(help="Who sends, as `tidings send` has it.")] = "tidings-cli",
    as_json: AsJson = False,
) -> None:
    """Upload a file of rows in as many parts as it takes; they wait until `tidings batch run`."""
    with told():
        rows = format_of(file)
        if rows is None:
            raise ArgumentError(f"FILE: {UNKNOWN_FORMAT}")
        name = named(app_id, batch_id)
        try:
            parts = run_front(lambda front: _upload(front, name, rows, file, first_part, client_id))
        except (OSError, EOFError) as error:
            raise ArgumentError(f"{file}: can't be read ({error})") from error
        if as_json:
            print_json(parts)
        else:
            for part in parts:
                typer.echo(f"part {part['part']}: {_counts(part)}")
        if not any(part["rejected"] for part in parts):
            return
        more = "" if first_part == 1 else f" --first-part {first_part}"
        batch = f"{quote(app_id)} {quote(batch_id)}"
        typer.echo(f"to get the rejected rows back: tidings batch errors {batch} {quote(str(file))}{more}", err=True)
        raise typer.Exit(EXIT_REJECTED)


async def _upload(
    front: Front, name: BatchName, rows: RowFormat, file: Path, first_part: int, client_id: str
) -> list[dict[str, Any]]:
    answers = []
    with opened(file) as stream:
        for number, (content, _) in enumerate(parts_of(rows, stream), first_part):
            digest = await asyncio.to_thread(lambda content=content: sha256(content).hexdigest())  # type: ignore[misc]
            fields = {**name.model_dump(), "part": number, "sha256": digest}
            part = PartBody(rows, Encoding.PLAIN, content)
            try:
                answer = await front.uploads.upload({CLIENT_ID: client_id}, parse_fields(PartName, fields), part)
            except (ContractViolationError, BodyTooLargeError) as error:
                raise ArgumentError(f"part {number}: {error}") from error
            answers.append(checked(answer, f"part {number}: "))
            heed_cancellation()
    return answers


@app.command("lint", epilog="Example:\n\ntidings batch lint 333301 june")
def lint(app_id: App, batch_id: Name, *, as_json: AsJson = False) -> None:
    """Tell what is wrong with a batch, before it runs. Exit code 2 if it would not run, or rows were rejected."""
    with told():
        name = named(app_id, batch_id)
        answer = answer_of(lambda desk: desk.lint(name))
        if as_json:
            print_json(_without_result(answer))
        else:
            typer.echo(f"{'ready' if answer['ready'] else 'not ready'}: {_counts(answer)}")
            for part in answer["lacking"]:
                typer.echo(f"part {part}: was not taken whole; upload it again")
            for part in answer["parts"]:
                for what, example in {**part["codes"], **part["remarks"]}.items():
                    rest = f": {harmless(example['message'])}" if example["message"] else ""
                    typer.echo(
                        f"part {part['part']}: {example['rows']:,} {harmless(what)}, "
                        f"first in row {example['firstRow']}{rest}"
                    )
        raise typer.Exit(0 if answer["ready"] and not answer["rejected"] else EXIT_REJECTED)


@app.command("run", epilog="Example:\n\ntidings batch run 333301 june --parts 20 --rows 400000")
def run_batch(
    app_id: App,
    batch_id: Name,
    *,
    parts: Annotated[int | None, typer.Option(min=1, help="How many parts it must have.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="How many rows it must have.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let a batch be sent."""
    with told():
        request = parsed(BatchRun, {**named(app_id, batch_id).model_dump(), "parts": parts, "rows": rows})
        _show(answer_of(lambda desk: desk.run(request)), as_json=as_json)


def _tell(verb: str, ask: Callable[[BatchDesk, BatchName], Awaitable[Answer]], text: str) -> None:
    """Add a verb that names a batch and shows how it is then."""

    @app.command(verb, help=text, epilog=f"Example:\n\ntidings batch {verb} 333301 june")
    def told_of(app_id: App, batch_id: Name, *, as_json: AsJson = False) -> None:
        with told():
            name = named(app_id, batch_id)
            _show(answer_of(lambda desk: ask(desk, name)), as_json=as_json)


_tell("pause", BatchDesk.pause, "Keep what was not sent from being sent.")
_tell("resume", BatchDesk.resume, "Let a paused batch go on.")
_tell("cancel", BatchDesk.cancel, "End what was not sent as F CANCELLED, for good. What is on its way goes on.")
_tell("status", BatchDesk.status, "Tell how far a batch is.")


@app.command("list", epilog="Example:\n\ntidings batch list --json")
def list_batches(*, as_json: AsJson = False) -> None:
    """List all batch jobs."""
    with told():
        batches: list[Origin] = run(lambda services: services.batch_jobs.all())
        if as_json:
            print_json([{"appId": one.app_id, "batchId": one.batch_id} for one in batches])
        else:
            show_table(("APPID", "BATCHID"), batches)


@app.command("results", epilog="Example:\n\ntidings batch results 333301 june --status F > failed.jsonl")
def results(
    app_id: App,
    batch_id: Name,
    *,
    only: Annotated[ResultStatus | None, typer.Option("--status", help="Only these.")] = None,
) -> None:
    """Print the outcome of each row as JSON lines, in the order of parts and rows."""
    with told():
        fields = {**named(app_id, batch_id).model_dump(), "status": only, "limit": _PAGE}
        run_front(lambda front: _print_results(front, fields))


async def _print_results(front: Front, fields: dict[str, Any]) -> None:
    async for items in pages(lambda after: front.batches.results(parsed(ResultsPage, {**fields, "after": after}))):
        for item in items:
            typer.echo(orjson.dumps(item).decode())


app.command("errors", epilog=batch_errors.EPILOG)(batch_errors.errors)


def _read_common(file: Path) -> dict[str, Any]:
    try:
        common = orjson.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ArgumentError(f"--common: {file} can't be read as JSON") from error
    if not isinstance(common, dict):
        raise ArgumentError('--common: must hold a JSON object, such as {"templateCode": "ORDER_READY"}')
    return common


def _without_result(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "result"}


def _counts(answer: dict[str, Any]) -> str:
    return ", ".join(f"{answer[name]:,} {name}" for name in ("accepted", "duplicate", "rejected"))


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(_without_result(answer))
        return
    typer.echo(f"{answer['batchId']} is {answer['state']}: {counted(answer['parts'], 'part')}, {_counts(answer)}")
    outcomes = ", ".join(f"{answer[name]:,} {name}" for name in ("open", "S", "U", "F"))
    pace = f"; {answer['rate']:,} a second" if answer["rate"] is not None else ""
    end = f", done {utc(answer['eta'])}" if answer["eta"] else ""
    settled = "; nothing is open any more" if answer["state"] == "RUNNING" and not answer["open"] else ""
    typer.echo(f"{outcomes}{pace}{end}{settled}")
    for part in answer["lacking"]:
        typer.echo(f"part {part} was not taken whole; upload it again")
