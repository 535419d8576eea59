"""Puts the tokens of a file for `tidings token put --file`, and says what is to be noted of what was put."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run
from api_adapter.cli.printing import counted
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import say, say_aside
from api_adapter.cli.token_lines import TokenLine, read_line
from worker.contract.errors import ContractViolationError

STDIN: Final = "-"
_CHUNK = 1_000
_FAULTS_TOLD = 20


def put_file(file: str) -> None:
    """Put what a file of JSON lines grants; raise ArgumentError, once all lines are read, if some were refused."""
    with _opened(file) as (stream, size):
        found = run(lambda services: _put_lines(services, stream, size))
    say(f"put {counted(found.put, 'token')}")
    note_unknown_wallets(found.unknown_wallets)
    for fault in found.faults:
        say_aside(fault)
    if found.refused:
        raise ArgumentError(
            f"--file: {counted(found.refused, 'line')} refused: mend what is wrong and put the file again"
        )


@contextmanager
def _opened(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Give a file, or standard input, with its size in bytes where it has one."""
    if file == STDIN:
        yield sys.stdin.buffer, None
        return
    try:
        with Path(file).open("rb") as stream:
            yield stream, Path(file).stat().st_size
    except OSError as error:
        raise ArgumentError(f"--file: can't be read ({error.strerror}); give a file of JSON lines") from error


@dataclass(slots=True)
class _FileOutcome:
    """What became of the lines of a file."""

    put: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    """Of the first lines that were refused."""
    unknown_wallets: set[str] = field(default_factory=set)


async def _put_lines(services: Services, stream: BinaryIO, size: int | None) -> _FileOutcome:
    note_other_source(services)
    outcome, done = _FileOutcome(), 0
    known = (await services.wallets.all()).keys()
    lines = enumerate(stream, 1)
    with progress(Work("token put", "token", size), services.clock) as meter:
        while chunk := list(islice(lines, _CHUNK)):
            good = _read_chunk(chunk, outcome)
            await services.users.put([(line.accessToken, line.grant(services.clock.now())) for line in good])
            outcome.put += len(good)
            outcome.unknown_wallets |= {line.wallet for line in good} - known
            done += sum(len(line) for _, line in chunk)
            meter.advance(done, outcome.put)
    return outcome


def _read_chunk(chunk: Sequence[tuple[int, bytes]], outcome: _FileOutcome) -> list[TokenLine]:
    """Return the good lines, and note the bad ones."""
    good = []
    for number, line in chunk:
        try:
            if line.strip():
                good.append(read_line(line))
        except ContractViolationError as violation:
            outcome.refused += 1
            if len(outcome.faults) < _FAULTS_TOLD:
                outcome.faults.append(f"line {number}: {violation}")
    return good


def note_unknown_wallets(wallets: Iterable[str]) -> None:
    """Say on standard error which wallets are still to be put."""
    for wallet in sorted(wallets):
        say_aside(f"note: there is no wallet {wallet} yet, so sends are refused; see tidings wallet put")


def note_other_source(services: Services) -> None:
    """Say on standard error if the tokens that are put are not those that count."""
    if services.settings.introspection_url:
        note = "note: TIDINGS_INTROSPECTION_URL is set, so the API asks there and never looks at what is put here"
        say_aside(note)
