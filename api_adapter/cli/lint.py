"""`tidings lint`: what sends would be answered and would show, without sending them."""

import os
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple, Protocol

import orjson
import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.lint_screen import TroubleLines, one_send, summary
from api_adapter.cli.printing import print_json, screen
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import say, say_aside, write_line
from api_adapter.clients import CLIENT_ID
from api_adapter.lint_answers import lint_json
from api_adapter.lint_input import OneSend, one_or_many
from api_adapter.lint_totals import BAD, LintTotals, Trouble
from api_adapter.linter import Linter
from api_adapter.linting import Before, Fate, SendLint
from api_adapter.send_files.lines import LineReader
from api_adapter.wiring import make_clients, make_linter
from worker.bootstrap import token_resolver
from worker.contract.codes import Result
from worker.ports import Clock

EXIT_TROUBLE = 1
EXIT_UNKNOWN = 2
STDIN: Final = "-"
EPILOG = (
    "Examples:\n\n"
    "tidings lint notices.jsonl\n\n"
    "tidings lint send.json    (one send, over any number of lines: a preview of each language and channel)\n\n"
    "generate-notices | tidings lint - --json > notices.lint.jsonl\n\n"
    "Exit code: 0 all would be taken or were taken before, 1 some would be refused or never delivered, "
    "2 it could not look."
)


class _Lines(Protocol):
    """What is said of the lines of a file while they are looked at."""

    def add(self, line: int, lint: SendLint, trouble: Trouble | None) -> None:
        """Take one line, by its number."""
        ...

    def end(self, totals: LintTotals) -> None:
        """Take the counts of all."""
        ...


def lint(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|-", help="One send a line, or one send alone; - reads standard input."),
    ],
    *,
    client_id: Annotated[
        str,
        typer.Option(help="Who would send: a Client-Id of TIDINGS_CLIENTS, where that is set."),
    ] = "tidings-cli",
    most: Annotated[int, typer.Option(min=0, help="Lines that are shown of each kind of trouble.")] = 10,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print a JSON object for each line; the summary goes to standard error."),
    ] = False,
) -> None:
    """Say what sends would be answered and would show. Nothing is sent, taken or counted.

    Each is judged as if it came now: its token, template and parameters, the lengths of its texts, which language its
    user gets and why, and what is left under the wallet's cap. A requestId that comes twice is told.
    """
    with told(), _opened(file) as stream:
        given = one_or_many(stream)
        if isinstance(given, OneSend):
            found = run(lambda services: _lint_one(services, client_id, given))
            if as_json:
                print_json(lint_json(found))
            else:
                screen().print(*one_send(found), sep="\n")
            raise typer.Exit(_exit_code([found.fate]))
        lines = _JsonLines() if as_json else TroubleLines(most)
        work = Work("lint", "line", _size(stream))
        totals, seconds = run(lambda services: _lint_all(services, client_id, _File(given, work, lines)))
        lines.end(totals)
        for line in summary(totals, seconds):
            (say_aside if as_json else say)(line)
        raise typer.Exit(_exit_code(totals.fates))


class _JsonLines:
    """Prints a JSON object for each line."""

    def add(self, line: int, lint: SendLint, trouble: Trouble | None) -> None:  # noqa: ARG002 - as `_Lines`
        write_line(orjson.dumps({"line": line, **lint_json(lint)}, option=orjson.OPT_APPEND_NEWLINE))

    def end(self, totals: LintTotals) -> None:  # noqa: ARG002 - as above
        sys.stdout.buffer.flush()


class _File(NamedTuple):
    stream: BinaryIO
    work: Work
    lines: _Lines


async def _lint_one(services: Services, client_id: str, body: OneSend) -> SendLint:
    async with _linter(services, client_id) as linter:
        (found,) = await linter.lint({CLIENT_ID: client_id}, [body])
        return found


async def _lint_all(services: Services, client_id: str, file: _File) -> tuple[LintTotals, float]:
    """Return the counts, and the seconds that it took."""
    start = services.clock.monotonic()
    async with _linter(services, client_id) as linter:
        totals = await _lint_lines(linter, client_id, file, services.clock)
    return totals, services.clock.monotonic() - start


async def _lint_lines(linter: Linter, client_id: str, file: _File, clock: Clock) -> LintTotals:
    """Return the counts of all lines; ends early when the store answers nothing."""
    totals, before = LintTotals(), Before()
    with progress(file.work, clock) as meter:
        reader = LineReader(file.stream)
        for chunk in reader.chunks():
            found = await linter.lint(
                {CLIENT_ID: client_id},
                [line.body for line in chunk],
                before,
                [line.number for line in chunk],
            )
            for line, one in zip(chunk, found, strict=True):
                file.lines.add(line.number, one, totals.add(one))
            meter.advance(reader.bytes_read, totals.lines)
            if all(one.fate is Fate.UNKNOWN for one in found):
                break
    return totals


@asynccontextmanager
async def _linter(services: Services, client_id: str) -> AsyncIterator[Linter]:
    clients = make_clients(services)
    caller = await clients.identify({CLIENT_ID: client_id})
    if isinstance(caller, Result):
        raise ArgumentError(f"--client-id: {caller.message}; see tidings client list")
    async with token_resolver(services) as users:
        yield make_linter(services, clients, users)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    with ExitStack() as files:
        try:
            stream = files.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise ArgumentError(f"{file}: can't be read ({error.strerror}); give a file of JSON lines, or -") from error
        yield stream


def _size(stream: BinaryIO) -> int | None:
    """Return how many bytes there will be, None for a pipe."""
    try:
        return os.fstat(stream.fileno()).st_size or None
    except OSError:
        return None


def _exit_code(fates: Collection[Fate]) -> int:
    if Fate.UNKNOWN in fates:
        return EXIT_UNKNOWN
    return EXIT_TROUBLE if BAD.intersection(fates) else 0
