"""`tidings dlq`: the dead letters, which nobody tries any more until they are replayed or discarded."""

import shlex
from typing import Annotated

import typer

from api_adapter.cli import dlq_discard, dlq_export, dlq_replay, dlq_show, dlq_stats
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.dlq_letters import HEADINGS, letter_json, row
from api_adapter.cli.letter_queries import HELP, parse
from api_adapter.cli.printing import AsJson, counted, print_json
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from worker.contract.dead_letters import DeadLetterPage, Position, PositionError

app = typer.Typer(
    help="Understand, replay and discard the dead letters: messages that nobody tries any more.",
    no_args_is_help=True,
)


@app.callback()
def dead_letters() -> None:
    """Understand, replay and discard the dead letters: messages that nobody tries any more."""


@app.command(
    epilog=f"{HELP}\n\nExamples:\n\ntidings dlq ls\n\ntidings dlq ls app:333301 code:SYSTEM_BUSY newer:1d\n\n"
    "tidings dlq ls cause:EXPIRED --limit 1000 --json\n\nExit code: 0.",
)
def ls(
    query: Annotated[list[str] | None, typer.Argument(metavar="QUERY", help="Which ones; default: all.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most dead letters of a page.")] = 50,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on where a page ended: it says how.")] = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first: when, why and which, never what they say.

    A page says whether more follow and how to get them. Its cursor stays right while letters come and go.
    """
    with told():
        position = _position(after)

        async def main(services: Services) -> tuple[DeadLetterPage, int]:
            wanted = parse(query or (), await services.dead_letters.now())
            page = await services.dead_letters.page(wanted, limit, position)
            return page, await services.records.dead_count()

        page, number = run(main)
        if as_json:
            print_json(_page_json(page, number))
            return
        if page.letters:
            show_table(HEADINGS, map(row, page.letters))
        say(f"{len(page.letters):,} of {counted(number, 'dead letter')}{_rest(page, query or [], limit)}")


def _position(after: str | None) -> Position | None:
    try:
        return None if after is None else Position.parse(after)
    except PositionError as error:
        raise ArgumentError(f"--after: {error}") from None


def _rest(page: DeadLetterPage, query: list[str], limit: int) -> str:
    if page.more_after is None:
        return ""
    again = shlex.join(["tidings", "dlq", "ls", *query, "--limit", str(limit), "--after", page.more_after.text])
    return f"; more follow: {again}"


def _page_json(page: DeadLetterPage, number: int) -> dict[str, object]:
    return {
        "deadLetters": number,
        "letters": [letter_json(letter) for letter in page.letters],
        "moreAfter": page.more_after.text if page.more_after else None,
    }


app.command("stats", epilog=dlq_stats.EPILOG)(dlq_stats.stats)
app.command("show", epilog=dlq_show.EPILOG)(dlq_show.show)
app.command("replay", epilog=dlq_replay.EPILOG)(dlq_replay.replay)
app.command("discard", epilog=dlq_discard.EPILOG)(dlq_discard.discard)
app.command("export", epilog=dlq_export.EPILOG)(dlq_export.export)
