"""`tidings dlq`: the dead letters, which nobody tries any more until they are replayed."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.text import Text

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import AsJson, print_json, screen, stacked, table, utc
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome

app = typer.Typer(
    help="See the dead letters: messages that nobody tries any more.",
    no_args_is_help=True,
)

_HEADINGS = ("Died", "Cause", "App", "requestId", "Channels", "Template", "messageId")


@app.callback()
def dead_letters() -> None:
    """See the dead letters: messages that nobody tries any more."""


@app.command(epilog="Examples:\n\ntidings dlq ls\n\ntidings dlq ls --limit 1000 --json")
def ls(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most dead letters to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest dead letters, the newest first: when, why and which, never what they say."""
    with told():

        async def main(services: Services) -> tuple[list[MessageOutcome], int]:
            return await services.records.dead(limit), await services.records.dead_count()

        letters, number = run(main)
        if as_json:
            print_json([_json(letter) for letter in letters])
            return
        if letters:
            screen().print(table(_HEADINGS, map(_row, letters)))
        typer.echo(f"{len(letters):,} of {number:,} dead letters")


def _died_at(letter: MessageOutcome) -> int:
    """Return when a letter died: with its last attempt, which settled it."""
    return letter.timeline[-1].settled_at if letter.timeline else letter.taken_at


def _row(letter: MessageOutcome) -> tuple[str | Text, ...]:
    template = f"{letter.template_code} v{letter.template_version}"
    return (
        utc(_died_at(letter)),
        Text(letter.dead_cause, "red"),
        letter.app_id,
        letter.request_id,
        stacked(_channels(letter)),
        template,
        letter.message_id,
    )


def _channels(letter: MessageOutcome) -> Iterator[str]:
    for delivery in letter.deliveries:
        yield " ".join(filter(None, (delivery.channel, delivery.status or "SKIPPED", delivery.code)))


def _json(letter: MessageOutcome) -> dict[str, object]:
    return {
        "diedAt": _died_at(letter),
        "cause": letter.dead_cause,
        "appId": letter.app_id,
        "requestId": letter.request_id,
        "messageId": letter.message_id,
        "templateCode": letter.template_code,
        "templateVersion": letter.template_version,
        "channels": [_channel_json(delivery) for delivery in letter.deliveries],
    }


def _channel_json(delivery: DeliveryOutcome) -> dict[str, object]:
    status = delivery.status or "SKIPPED"
    return {"channel": delivery.channel, "status": status, "code": delivery.code or None, "at": delivery.at}
