"""`tidings send`: a file of sends, in chunks, with a result for each line."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from api_adapter.batches import Batch, LineReader, Totals
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Front, run_front, told
from api_adapter.cli.printing import AsJson, counted, elapsed, harmless, print_json
from api_adapter.cli.progress import Meter, Work, progress, rate
from api_adapter.clients import CLIENT_ID
from worker.contract.codes import Result, ResultStatus
from worker.contract.errors import TidingsError

EXIT_REFUSED = 2
EXIT_UNKNOWN = 3
STDIN: Final = "-"
EPILOG = (
    "Examples:\n\n"
    "tidings send notices.jsonl\n\n"
    "generate-notices | tidings send - --results /var/log/notices.results.jsonl --json\n\n"
    "Exit code: 0 all taken, 2 some refused, 3 some unknown.\n\n"
    "Interrupted or unknown? Run it again: a requestId that was taken before is not sent twice."
)
_SUFFIX = ".results.jsonl"
_WORDS = {ResultStatus.S: "taken", ResultStatus.F: "refused", ResultStatus.U: "unknown"}


class ResultsError(TidingsError):
    """A file can't be read or written on the way; the text tells what was sent and how to go on."""


def send(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE.jsonl|-", help="One send a line, as for the HTTP API; - reads standard input."),
    ],
    *,
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where each line's result goes, as JSON; default: FILE.results.jsonl."),
    ] = None,
    client_id: Annotated[
        str,
        typer.Option(help="Who sends: a Client-Id of TIDINGS_CLIENTS, where that is set."),
    ] = "tidings-cli",
    as_json: AsJson = False,
) -> None:
    """Send the messages of a file.

    Each line is the JSON body of one send. A bad line never stops the good ones; what stays unknown is repeated a few
    times with the same requestId. Whether a message was delivered tells `tidings status`.
    """
    with told():
        target = results or _default_results(file)
        totals, seconds = Totals(), 0.0
        with _opened(file, target) as (lines, answers):
            try:
                totals, seconds = run_front(lambda front: _send_all(front, client_id, lines, answers))
            except KeyboardInterrupt:
                typer.echo(_how_to_go_on("stopped", target), err=True)
                raise
        if as_json:
            print_json(_summary_json(totals, seconds, target))
        else:
            typer.echo("\n".join(_summary(totals, seconds, target)))
        raise typer.Exit(_exit_code(totals))


async def _send_all(front: Front, client_id: str, lines: BinaryIO, answers: BinaryIO) -> tuple[Totals, float]:
    await _refuse_unknown_client(front, client_id)
    clock = front.services.clock
    start = clock.monotonic()
    with progress(Work("send", "lines", _size(lines)), clock) as meter:
        reader = LineReader(lines)
        batch = Batch(front.intake, client_id, answers, partial(_say_waiting, meter))
        for chunk in reader.chunks():
            answered = await batch.send(chunk)
            meter.advance(reader.bytes_read, batch.totals.lines)
            if not answered:
                break
    return batch.totals, clock.monotonic() - start


def _say_waiting(meter: Meter, unknown: int, pause: float) -> None:
    meter.say(f"the store did not answer for {counted(unknown, 'line')}; asking again in {pause:g} s")


async def _refuse_unknown_client(front: Front, client_id: str) -> None:
    caller = await front.clients.identify({CLIENT_ID: client_id})
    if isinstance(caller, Result):
        raise ArgumentError(f"--client-id: {caller.message}; see tidings client list")


def _default_results(file: str) -> Path:
    return Path("stdin" + _SUFFIX) if file == STDIN else Path(file.removesuffix(".jsonl") + _SUFFIX)


@contextmanager
def _opened(file: str, target: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Give the lines and the place of their results; raise TidingsError for what the files do."""
    try:
        with ExitStack() as files:
            yield _open_lines(file, files), _open_results(file, target, files)
    except OSError as error:
        raise ResultsError(f"{error.strerror}: {_how_to_go_on('stopped', target)}") from error


def _open_lines(file: str, files: ExitStack) -> BinaryIO:
    if file == STDIN:
        return sys.stdin.buffer
    try:
        return files.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise ArgumentError(f"{file}: can't be read ({error.strerror}); give a file of JSON lines, or -") from error


def _open_results(file: str, target: Path, files: ExitStack) -> BinaryIO:
    try:
        _refuse_overwriting(file, target)
        return files.enter_context(target.open("wb"))
    except OSError as error:
        reason = f"{target} can't be written ({error.strerror})"
        raise ArgumentError(f"--results: {reason}; name another file") from error


def _refuse_overwriting(file: str, target: Path) -> None:
    if file != STDIN and target.exists() and target.samefile(file):
        raise ArgumentError("--results: would overwrite the file to send; name another file")


def _how_to_go_on(what: str, target: Path) -> str:
    return (
        f"{what}; {target} tells what was taken. "
        "To go on run the same command again: what was taken already is not sent twice."
    )


def _size(lines: BinaryIO) -> int | None:
    """Return how many bytes there will be, None for a pipe."""
    try:
        return os.fstat(lines.fileno()).st_size or None
    except OSError:
        return None


def _exit_code(totals: Totals) -> int:
    if totals.statuses[ResultStatus.U]:
        return EXIT_UNKNOWN
    return EXIT_REFUSED if totals.statuses[ResultStatus.F] else 0


def _summary(totals: Totals, seconds: float, target: Path) -> Iterator[str]:
    counts = ", ".join(f"{totals.statuses[status]:,} {word}" for status, word in _WORDS.items())
    yield f"{rate(totals.lines, 'lines', seconds)} in {elapsed(int(seconds * 1000))}: {counts}"
    for (status, code), number in totals.codes.most_common():
        if status is not ResultStatus.S:
            example = totals.examples[code]
            yield f"  {number:,} {_WORDS[status]}: {code}, first in line {example.line}: {harmless(example.message)}"
    if totals.statuses[ResultStatus.U]:
        yield _how_to_go_on(f"some lines have no answer (the last one tried is line {totals.last_line})", target)
    else:
        yield f"results: {target}"


def _summary_json(totals: Totals, seconds: float, target: Path) -> dict[str, object]:
    return {
        "lines": totals.lines,
        **{word: totals.statuses[status] for status, word in _WORDS.items()},
        "codes": {code: number for (_, code), number in totals.codes.most_common()},
        "lastLine": totals.last_line,
        "seconds": round(seconds, 3),
        "results": str(target),
    }
