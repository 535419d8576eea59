"""`tidings batch`: batch jobs of merchants, by whoever runs tidings, or by the merchant over the API."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from api_adapter.cli import batch_errors, batch_upload
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.batch_asking import App, Batch, Name, Way, as_answered, counts, with_way
from api_adapter.cli.batch_upload import EXIT_REJECTED
from api_adapter.cli.batch_waiting import Wait, how_to_wait, messages, waited
from api_adapter.cli.context import run, told
from api_adapter.cli.printing import AsJson, counted, harmless, print_json, utc
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.tables import show_table
from worker.contract.batch_jobs import JobState
from worker.contract.codes import ResultStatus
from worker.contract.origins import Origin

if TYPE_CHECKING:
    from api_adapter.client.batch_jobs import BatchStatus

_WAIT_CODES = (
    "Exit code: 0 done, with --wait: nothing is open any more, whatever the outcomes; 2 it can't be done; 130 Ctrl-C."
)

app = typer.Typer(
    help="Batch jobs: up to 1,000,000 rows, uploaded in parts, held, then run, paused, resumed or cancelled as one.\n\n"
    "create, upload, lint, run; then status and results. Rejected rows: errors. Merchants give --url, --client-id and "
    "--key to each.",
    no_args_is_help=True,
)


@app.command(
    "create",
    epilog="Examples:\n\ntidings batch create 333301 june --common common.json\n\n"
    "tidings batch create 333301 june --common common.json --callback-outcomes FU --no-progress-callbacks",
)
@with_way
def create(  # noqa: PLR0913 - a typer option is a parameter
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
    way: Way,
    as_json: AsJson = False,
) -> None:
    """Define a batch. The same definition again changes nothing."""
    fields = {} if common is None else _read_common(common)
    if callback_outcomes is not None:
        fields["callbackOutcomes"] = list(callback_outcomes)
    if progress_callbacks is not None:
        fields["progressCallbacks"] = progress_callbacks
    _show(way.ask(app_id, batch_id, lambda batch: batch.create(**fields)), as_json=as_json)


app.command("upload", epilog=batch_upload.EPILOG)(batch_upload.upload)


@app.command("lint", epilog="Example:\n\ntidings batch lint 333301 june")
@with_way
def lint(
    app_id: App,
    batch_id: Name,
    *,
    way: Way,
    as_json: AsJson = False,
) -> None:
    """Tell what is wrong with a batch, before it runs. Exit code 2 if it would not run, or rows were rejected."""
    answer = as_answered(way.ask(app_id, batch_id, lambda batch: batch.lint()))
    if as_json:
        print_json(answer)
    else:
        say(f"{'ready' if answer['ready'] else 'not ready'}: {counts(answer)}")
        for part in answer["lacking"]:
            say(f"part {part}: was not taken whole; upload it again")
        for part in answer["parts"]:
            for what, example in {**part["codes"], **part["remarks"]}.items():
                rest = f": {harmless(example['message'])}" if example["message"] else ""
                say(
                    f"part {part['part']}: {example['rows']:,} {harmless(what)}, "
                    f"first in row {example['firstRow']}{rest}"
                )
    raise typer.Exit(0 if answer["ready"] and not answer["rejected"] else EXIT_REJECTED)


@app.command(
    "run",
    epilog="Examples:\n\ntidings batch run 333301 june --parts 20 --rows 400000\n\n"
    f"tidings batch run 333301 june --wait && tidings batch results 333301 june > outcomes.jsonl\n\n{_WAIT_CODES}",
)
@with_way
def run_batch(  # noqa: PLR0913 - a typer option is a parameter
    app_id: App,
    batch_id: Name,
    *,
    parts: Annotated[int | None, typer.Option(min=1, help="How many parts it must have.")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="How many rows it must have.")] = None,
    wait: Wait = False,
    way: Way,
    as_json: AsJson = False,
) -> None:
    """Let a batch be sent."""
    status = way.ask(app_id, batch_id, lambda batch: batch.run(parts=parts, rows=rows))
    _show(waited(way, status) if wait else status, as_json=as_json)


def _tell(verb: str, ask: Callable[[Batch], Awaitable["BatchStatus"]], text: str) -> None:
    """Add a verb that names a batch and shows how it is then."""

    @app.command(verb, help=text, epilog=f"Example:\n\ntidings batch {verb} 333301 june")
    @with_way
    def told_of(
        app_id: App,
        batch_id: Name,
        *,
        way: Way,
        as_json: AsJson = False,
    ) -> None:
        _show(way.ask(app_id, batch_id, ask), as_json=as_json)


_tell("pause", lambda batch: batch.pause(), "Keep what was not sent from being sent.")
_tell("resume", lambda batch: batch.resume(), "Let a paused batch go on.")
_tell(
    "cancel",
    lambda batch: batch.cancel(),
    "End what was not sent as F CANCELLED, for good. What is on its way goes on.",
)


@app.command(
    "status",
    epilog=f"Examples:\n\ntidings batch status 333301 june\n\ntidings batch status 333301 june --wait\n\n{_WAIT_CODES}",
)
@with_way
def tell_status(
    app_id: App,
    batch_id: Name,
    *,
    wait: Wait = False,
    way: Way,
    as_json: AsJson = False,
) -> None:
    """Tell how far a batch is."""
    status = way.ask(app_id, batch_id, lambda batch: batch.status())
    _show(waited(way, status) if wait else status, as_json=as_json)


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
@with_way
def results(
    app_id: App,
    batch_id: Name,
    *,
    only: Annotated[ResultStatus | None, typer.Option("--status", help="Only those with this outcome.")] = None,
    way: Way,
) -> None:
    """Print the outcome of each row as JSON lines, in the order of parts and rows.

    A row that is open still is U until it has its outcome. How many are open is said on standard error.
    """
    number, status = way.ask(app_id, batch_id, lambda batch: _print_results(batch, only))
    if status.state == JobState.HELD:
        say_aside("the batch is HELD: nothing is sent before", way.command(f"tidings batch run {app_id} {batch_id}"))
    elif status.open:
        how_many = f"{status.open:,} of {counted(messages(status), 'message')} open"
        say_aside(f"{how_many}. To wait for it:", how_to_wait(way, status))
    elif only is not None and not number:
        say_aside(f"none of {counted(messages(status), 'message')} is {only}")
    elif not number:
        say_aside("the batch has no message")


async def _print_results(batch: Batch, only: ResultStatus | None) -> tuple[int, "BatchStatus"]:
    number = 0
    async for result in batch.results(only):
        typer.echo(orjson.dumps(as_answered(result)).decode())
        number += 1
    return number, await batch.status()


app.command("errors", epilog=batch_errors.EPILOG)(batch_errors.errors)


def _read_common(file: Path) -> dict[str, Any]:
    try:
        common = orjson.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ArgumentError(f"--common: {file} can't be read as JSON") from error
    if not isinstance(common, dict):
        raise ArgumentError('--common: must hold a JSON object, such as {"templateCode": "ORDER_READY"}')
    return common


def _show(status: "BatchStatus", *, as_json: bool) -> None:
    answer = as_answered(status)
    if as_json:
        print_json(answer)
        return
    state = "done" if answer["state"] == "RUNNING" and not answer["open"] and not answer["lacking"] else answer["state"]
    say(f"{answer['batchId']} is {state}: {counted(answer['parts'], 'part')}, {counts(answer)}")
    outcomes = ", ".join(f"{answer[name]:,} {name}" for name in ("open", "S", "U", "F"))
    pace = f"; {answer['rate']:,} a second" if answer["rate"] is not None else ""
    end = f", done {utc(answer['eta'])}" if answer["eta"] else ""
    say(f"{outcomes}{pace}{end}")
    for part in answer["lacking"]:
        say(f"part {part} was not taken whole; upload it again")
