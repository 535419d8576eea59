"""`tidings dlq show`: everything about dead letters but what they say."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.dlq_letters import AppId, letter_json, resolve, status_of
from api_adapter.cli.printing import STYLES, AsJson, harmless, print_json, screen
from api_adapter.cli.status import print_story
from api_adapter.cli.tables import show_table
from api_adapter.inquiries import outcome_json
from worker.contract.dead_letters import DeadChannel, DeadLetter
from worker.contract.outcomes import Intervention, MessageOutcome
from worker.contract.payload import MaskedPayload

EXIT_NONE = 4
EPILOG = (
    "Examples:\n\ntidings dlq show 9f86d081884c7d659a2feaa0c55ad015\n\n"
    "tidings dlq show order-42 --app-id 333301 --json\n\n"
    "Exit code: 0 all are dead letters, 4 some are none (then see tidings status)."
)
Story = tuple[DeadLetter, MessageOutcome, MaskedPayload | None]


def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="messageIds, or requestIds of --app-id.")],
    *,
    app_id: AppId = None,
    as_json: AsJson = False,
) -> None:
    """Show dead letters: cause, what each gateway answered, every attempt, the payload's names, never its values."""
    with told():
        stories = run(lambda services: _find(services, ids, app_id))
        if as_json:
            print_json([_json(given, story) for given, story in zip(ids, stories, strict=True)])
        else:
            for given, story in zip(ids, stories, strict=True):
                _print(given, story)
        raise typer.Exit(0 if all(stories) else EXIT_NONE)


async def _find(services: Services, ids: Sequence[str], app_id: str | None) -> list[Story | None]:
    meant = await resolve(services, ids, app_id)
    return await stories_of(services, [meant[given] for given in ids])


async def stories_of(services: Services, message_ids: Sequence[str]) -> list[Story | None]:
    """Return all that may be seen of each dead letter, None for what is none, in order."""
    letters = await services.dead_letters.find(message_ids)
    outcomes = await services.records.find(message_ids)
    contents = await services.dead_letters.contents(message_ids)
    return [
        (letter, outcome, content) if letter and outcome else None
        for letter, outcome, content in zip(letters, outcomes, contents, strict=True)
    ]


def story_json(story: Story) -> dict[str, object]:
    """Return a dead letter with its outcome, timeline and masked payload."""
    letter, outcome, content = story
    return {
        **outcome_json(outcome),
        **letter_json(letter),
        "answers": [
            {
                "channel": delivery.channel,
                "gateway": channel.gateway or None,
                "code": delivery.code or None,
                "message": delivery.message or None,
                "at": delivery.at,
            }
            for channel, delivery in zip(letter.channels, outcome.deliveries, strict=True)
        ],
        "interventions": [_intervention_json(entry) for entry in outcome.interventions],
        "payload": _content_json(content),
    }


def _json(given: str, story: Story | None) -> dict[str, object]:
    return {"id": given, "cause": None} if story is None else {"id": given, **story_json(story)}


def _intervention_json(entry: Intervention) -> dict[str, object]:
    return {
        "afterAttempt": entry.after_attempt,
        "at": entry.at,
        "kind": entry.kind,
        "cause": entry.cause,
        "run": entry.run,
        "reason": entry.reason or None,
    }


def _content_json(content: MaskedPayload | None) -> dict[str, object] | None:
    if content is None:
        return None
    return {
        "wallet": content.wallet,
        "language": content.language,
        "parameters": list(content.parameters),
        "redirectUrl": content.has_redirect_url,
        "extendInfo": content.has_extend_info,
        "bytes": content.size,
    }


def _print(given: str, story: Story | None) -> None:
    console = screen()
    if story is None:
        console.print(Text.assemble((harmless(given), "bold"), ": no dead letter; see tidings status"))
    else:
        letter, outcome, content = story
        print_story(outcome)
        show_table(("Channel", "Status", "Gateway asked last"), map(_gateway, letter.channels))
        console.print(Text(_content_line(content)))
    console.print()


def _gateway(channel: DeadChannel) -> tuple[str | Text, ...]:
    status = status_of(channel)
    return channel.channel, Text(status, STYLES.get(status, "dim")), channel.gateway or "none"


def _content_line(content: MaskedPayload | None) -> str:
    if content is None:
        return "payload: gone or unreadable"
    names = ", ".join(map(harmless, content.parameters)) or "none"
    others = [name for name, there in _others(content) if there]
    rest = f", with {' and '.join(others)}" if others else ""
    what = f"{content.size:,} bytes, wallet {content.wallet}, {content.language}, parameters {names}{rest}"
    return f"payload: {what}; values are not shown"


def _others(content: MaskedPayload) -> tuple[tuple[str, bool], ...]:
    return ("redirectUrl", content.has_redirect_url), ("extendInfo", content.has_extend_info)
