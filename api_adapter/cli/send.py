"""`tidings send`: a file of sends, with a result for each line."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

import typer

from api_adapter.cli.api_access import ApiOptions, Key, KeyVersion, ServerKey, ServerKeyVersion, Url
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import told
from api_adapter.cli.printing import AsJson, counted, elapsed, harmless, print_json
from api_adapter.cli.progress import Work, progress, rate
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.send_ways import Directly, OverTheApi, Way
from api_adapter.send_files.checkpoints import CheckpointFile
from api_adapter.send_files.outputs import OWNER_ALONE, Output
from api_adapter.send_files.run import Files, Run
from api_adapter.send_files.senders import Sender, Waiting
from api_adapter.send_files.totals import Totals
from worker.clock import SystemClock
from worker.contract.codes import ResultStatus
from worker.contract.errors import TidingsError

EXIT_REFUSED = 2
EXIT_UNKNOWN = 3
STDIN: Final = "-"
EPILOG = (
    "Examples:\n\n"
    "tidings send notices.jsonl\n\n"
    "tidings send notices.jsonl --resume\n\n"
    "tidings send notices.jsonl --url https://api.example --client-id merchant-1 --key merchant-1.pem\n\n"
    "generate-notices | tidings send - --results /var/log/notices.results.jsonl --json\n\n"
    "Exit code: 0 all taken; 2 some refused, or an argument can't be used; 3 some unknown; 130 interrupted.\n\n"
    "Interrupted, killed or unknown? Run it again with --resume. Without, it begins anew: a requestId that was taken "
    "before is not sent twice.\n\n"
    "Refused lines are in FILE.failed.jsonl with the reason, whole, tokens too. Correct them there and send that file."
)
_WORDS = {ResultStatus.S: "taken", ResultStatus.F: "refused", ResultStatus.U: "unknown"}


class ResultsError(TidingsError):
    """A file can't be read or written on the way; the text tells what was sent and how to go on."""


class Paths(NamedTuple):
    """Where everything about a file is."""

    source: str
    results: Path
    failed: Path
    checkpoint: Path | None
    """None for standard input, which can't be read again."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to."""

    paths: Paths
    totals: Totals
    lines: int
    """How many this run sent."""
    seconds: float


def send(  # noqa: PLR0913 - a typer option is a parameter
    file: Annotated[
        str,
        typer.Argument(metavar="FILE.jsonl|-", help="One send a line, as for the HTTP API; - reads standard input."),
    ],
    *,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on where FILE.checkpoint.json says that an earlier run ended."),
    ] = False,
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where each line's result goes, as JSON; default: FILE.results.jsonl."),
    ] = None,
    client_id: Annotated[
        str,
        typer.Option(help="Who sends: without --url a Client-Id of TIDINGS_CLIENTS, where that is set."),
    ] = "tidings-cli",
    url: Url = None,
    key: Key = None,
    key_version: KeyVersion = 1,
    server_key: ServerKey = None,
    server_key_version: ServerKeyVersion = 1,
    as_json: AsJson = False,
) -> None:
    """Send the messages of a file.

    Each line is the JSON body of one send. A bad line never stops the good ones; what stays unknown is repeated a few
    times with the same requestId. Whether a message was delivered tells `tidings status`.
    """
    with told():
        options = ApiOptions(url, key, key_version, server_key, server_key_version)
        way: Way = Directly(client_id) if url is None else OverTheApi(options, client_id)
        done = _run(way, _paths(file, results), resume=resume)
        if as_json:
            print_json(_summary_json(done))
        else:
            for line in _summary(done):
                say(line)
        raise typer.Exit(_exit_code(done.totals))


def _run(way: Way, paths: Paths, *, resume: bool) -> Done:
    clock = SystemClock()
    with _opened(paths) as files:
        run = Run(files, clock)
        start = clock.monotonic()
        before = 0

        async def use(make_sender: Callable[[Waiting], Sender]) -> None:
            nonlocal before
            _begin(run, files, paths, resume=resume)
            before = run.totals.lines
            with progress(Work("send", "line", _size(files.lines, run.resumed_at)), clock) as meter:

                def say_waiting(unknown: int, pause: float) -> None:
                    what = f"{way.what_waits} did not answer for {counted(unknown, 'line')}"
                    meter.say(f"{what}; asking again in {pause:.3g} s")

                await run.send(make_sender(say_waiting), meter.advance)

        try:
            way.run(use)
        except KeyboardInterrupt:
            say_aside(_how_to_go_on("stopped", paths))
            raise
        return Done(paths, run.totals, run.totals.lines - before, clock.monotonic() - start)


def _begin(run: Run, files: Files, paths: Paths, *, resume: bool) -> None:
    if not resume:
        run.begin()
        return
    if files.checkpoint is None:
        raise ArgumentError("--resume: needs a file; standard input can't be read again")
    checkpoint = files.checkpoint.read()
    if checkpoint is None:
        run.begin()
        return
    run.resume(checkpoint)
    say_aside(f"going on after line {checkpoint.line:,}, as {paths.checkpoint} says")


def _paths(file: str, results: Path | None) -> Paths:
    base = "stdin" if file == STDIN else file.removesuffix(".jsonl")
    # What belongs together is in one place, unless that is a device.
    if results is not None and (results.is_file() or not results.exists()):
        base = str(results).removesuffix(".jsonl").removesuffix(".results")
    return Paths(
        source=file,
        results=results or Path(base + ".results.jsonl"),
        failed=Path(base + ".failed.jsonl"),
        checkpoint=None if file == STDIN else Path(base + ".checkpoint.json"),
    )


@contextmanager
def _opened(paths: Paths) -> Iterator[Files]:
    """Give the files of a run; raise TidingsError for what they do."""
    try:
        with ExitStack() as opened:
            lines = _open_lines(paths.source, opened)
            results = _open_output(paths, paths.results, 0o644, opened)
            failed = _open_output(paths, paths.failed, OWNER_ALONE, opened)
            failed.lock()
            opened.callback(failed.remove_if_empty)
            yield Files(lines, results, failed, CheckpointFile(paths.checkpoint) if paths.checkpoint else None)
    except OSError as error:
        raise ResultsError(f"{error.strerror}: {_how_to_go_on('stopped', paths)}") from error


def _open_lines(file: str, files: ExitStack) -> BinaryIO:
    if file == STDIN:
        return sys.stdin.buffer
    try:
        return files.enter_context(Path(file).open("rb"))
    except OSError as error:
        raise ArgumentError(f"{file}: can't be read ({error.strerror}); give a file of JSON lines, or -") from error


def _open_output(paths: Paths, path: Path, mode: int, files: ExitStack) -> Output:
    if paths.source != STDIN and path.exists() and path.samefile(paths.source):
        raise ArgumentError("--results: would overwrite the file to send; name another file")
    try:
        output = Output(path, mode)
    except OSError as error:
        raise ArgumentError(f"--results: {path} can't be written ({error.strerror}); name another file") from error
    files.callback(output.close)
    return output


def _how_to_go_on(what: str, paths: Paths) -> str:
    resume = "" if paths.checkpoint is None else " with --resume"
    return (
        f"{what}; {paths.results} tells what was taken. "
        f"To go on run the same command again{resume}: what was taken already is not sent twice."
    )


def _size(lines: BinaryIO, sent: int) -> int | None:
    """Return how many bytes are left to send, None for a pipe."""
    try:
        size = os.fstat(lines.fileno()).st_size
    except OSError:
        return None
    return max(1, size - sent) if size else None


def _exit_code(totals: Totals) -> int:
    if totals.statuses[ResultStatus.U]:
        return EXIT_UNKNOWN
    return EXIT_REFUSED if totals.statuses[ResultStatus.F] else 0


def _summary(done: Done) -> Iterator[str]:
    totals = done.totals
    counts = ", ".join(f"{totals.statuses[status]:,} {word}" for status, word in _WORDS.items())
    earlier = totals.lines - done.lines
    before = f" ({earlier:,} by earlier runs)" if earlier else ""
    pace = rate(done.lines, "line", done.seconds)
    yield f"{pace} in {elapsed(int(done.seconds * 1000))}{before}: {counts}"
    for (status, code), number in totals.codes.most_common():
        if number and status is not ResultStatus.S:
            example = totals.examples[code]
            yield f"  {number:,} {_WORDS[status]}: {code}, first in line {example.line}: {harmless(example.message)}"
    if totals.statuses[ResultStatus.F]:
        yield f"failed: {done.paths.failed} has the refused lines with the reason; correct them and send that file"
    if totals.statuses[ResultStatus.U]:
        told = f"some lines have no answer (the last one tried is line {totals.last_line})"
        yield _how_to_go_on(told, done.paths)
    else:
        yield f"results: {done.paths.results}"


def _summary_json(done: Done) -> dict[str, object]:
    totals = done.totals
    return {
        "lines": totals.lines,
        **{word: totals.statuses[status] for status, word in _WORDS.items()},
        "codes": {code: number for (_, code), number in totals.codes.most_common() if number},
        "lastLine": totals.last_line,
        "sentByThisRun": done.lines,
        "seconds": round(done.seconds, 3),
        "results": str(done.paths.results),
        "failed": str(done.paths.failed) if totals.statuses[ResultStatus.F] else None,
    }
