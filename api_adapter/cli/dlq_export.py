"""`tidings dlq export`: dead letters as JSON lines, for whoever has to look at them elsewhere."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.dlq_show import stories_of, story_json
from api_adapter.cli.letter_queries import HELP, parse
from api_adapter.cli.printing import counted
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import say_aside, write_line
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery

EPILOG = (
    f"{HELP}\n\nExamples:\n\ntidings dlq export --output dead.jsonl\n\n"
    "tidings dlq export app:333301 older:1d > dead.jsonl\n\nExit code: 0 all were written, 2 the file can't be."
)
_AT_ONCE = 500


def export(
    query: Annotated[list[str] | None, typer.Argument(metavar="QUERY", help="Which ones; default: all.")] = None,
    *,
    output: Annotated[Path | None, typer.Option(help="A new file; default: standard output.")] = None,
) -> None:
    """Write every dead letter that a query finds, a JSON object a line: all that `show --json` has, values masked."""
    with told():
        if output is None:
            number = run(lambda services: _write(services, query or (), write_line))
        else:
            try:
                with output.open("xb") as file:
                    number = run(lambda services: _write(services, query or (), file.write))
            except OSError as error:
                raise ArgumentError(f"--output: can't be written as a new file: {error.strerror}") from None
        say_aside(f"{counted(number, 'dead letter')} written")


async def _write(services: Services, terms: Sequence[str], write: Callable[[bytes], object]) -> int:
    written = 0
    query = parse(terms, await services.dead_letters.now())
    total = await services.records.dead_count() if query == DeadLetterQuery() else None
    with progress(Work("dlq export", "letter", total), services.clock) as meter:
        async for letters in _pages(services, query):
            for story in await stories_of(services, [letter.message_id for letter in letters]):
                if story is not None:  # replayed or discarded a moment ago otherwise
                    write(orjson.dumps(story_json(story), option=orjson.OPT_APPEND_NEWLINE))
                    written += 1
            meter.advance(written, written)
    return written


async def _pages(services: Services, query: DeadLetterQuery) -> AsyncIterator[Sequence[DeadLetter]]:
    page = await services.dead_letters.page(query, _AT_ONCE)
    yield page.letters
    while page.more_after is not None:
        page = await services.dead_letters.page(query, _AT_ONCE, page.more_after)
        yield page.letters
