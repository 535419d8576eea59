"""Dead letters as lines of a table and as JSON, and which of them arguments name."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services
from api_adapter.cli.given_ids import candidates
from api_adapter.cli.letter_queries import parse
from api_adapter.cli.printing import stacked, utc
from worker.contract.dead_letters import DeadChannel, DeadLetter
from worker.contract.messages import DeliveryState
from worker.replay import Matching, Named, Selection

HEADINGS = ("Died", "Cause", "App", "requestId", "Channels", "Template", "messageId")

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="messageIds, or requestIds of --app-id.")]
AppId = Annotated[str | None, typer.Option(help="The mini program; required for requestIds.")]
Where = Annotated[
    str | None, typer.Option(metavar="QUERY", help="All that a query finds, such as 'app:X cause:TRIES'.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it, only count what would be done.")]


def status_of(channel: DeadChannel) -> str:
    """Return S, F, U or SKIPPED."""
    return "SKIPPED" if channel.state is DeliveryState.SKIPPED else channel.state.value


def row(letter: DeadLetter) -> tuple[str | Text, ...]:
    """Return a letter's cells under `HEADINGS`."""
    return (
        utc(letter.died_at),
        Text(letter.cause, "red"),
        letter.app_id,
        letter.request_id,
        stacked(_channels(letter)),
        f"{letter.template_code} v{letter.template_version}",
        letter.message_id,
    )


def _channels(letter: DeadLetter) -> Iterator[str]:
    for one in letter.channels:
        gateway = f"({one.gateway})" if one.gateway else ""
        yield " ".join(filter(None, (one.channel, status_of(one), one.code, gateway)))


def letter_json(letter: DeadLetter) -> dict[str, object]:
    """Return a letter for programs; times in milliseconds since 1970."""
    return {
        "diedAt": letter.died_at,
        "cause": letter.cause,
        "appId": letter.app_id,
        "requestId": letter.request_id,
        "messageId": letter.message_id,
        "lane": letter.lane,
        "templateCode": letter.template_code,
        "templateVersion": letter.template_version,
        "channels": [
            {
                "channel": one.channel,
                "status": status_of(one),
                "code": one.code or None,
                "gateway": one.gateway or None,
            }
            for one in letter.channels
        ],
    }


def check_selection(ids: Sequence[str] | None, where: str | None) -> None:
    """Raise ArgumentError unless letters are named either by ids or by a query."""
    if bool(ids) == (where is not None):
        raise ArgumentError("name the dead letters: either IDs, or --where QUERY")
    if where is not None and not where.split():
        raise ArgumentError("--where: must hold at least one term, such as newer:100d for all of that time")


async def select(services: Services, ids: Sequence[str] | None, app_id: str | None, where: str | None) -> Selection:
    """Return what arguments name: by a query only what is dead now, not what dies meanwhile."""
    if where is not None:
        now = await services.dead_letters.now()
        return Matching(parse([where], now).not_after(now))
    return Named(tuple((await resolve(services, ids or (), app_id)).values()))


async def resolve(services: Services, ids: Sequence[str], app_id: str | None) -> dict[str, str]:
    """Return the messageId that each argument means, that of a dead letter where it may mean several."""
    meant = {given: candidates(given, app_id) for given in ids}
    every = [one for several in meant.values() for one in several]
    dead = {letter.message_id for letter in await services.dead_letters.find(every) if letter is not None}
    return {given: next((one for one in several if one in dead), several[0]) for given, several in meant.items()}
