"""`tidings callback dead`: the callbacks that were given up."""

from collections.abc import Sequence
from typing import Annotated, assert_never

import typer
from rich.text import Text

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import STYLES, AsJson, counted, print_json, utc
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from worker.batching import chunks
from worker.contract.callbacks import DeadCallback, OutcomeKey, ProgressKey

app = typer.Typer(
    help="Understand, replay and discard callbacks that were given up. Their messages are not touched by it.",
    no_args_is_help=True,
)

EXIT_REFUSED = 1
_HEADINGS = ("Given up", "App", "Request", "Status", "Tries", "Last answer", "messageId or batchId")
_AT_ONCE = 1_000

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="messageIds, or batchIds: whose callbacks.")]
OfApp = Annotated[str | None, typer.Option("--app-id", help="All of one merchant.")]
All = Annotated[bool, typer.Option("--all", help="All there are.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without it only count.")]


@app.callback()
def dead_callbacks() -> None:
    """Understand, replay and discard callbacks that were given up."""


@app.command(
    epilog="Examples:\n\ntidings callback dead ls\n\ntidings callback dead ls --app-id 333301 --limit 1000 --json"
)
def ls(
    *,
    app_id: OfApp = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most of them.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List callbacks that were given up, the newest first: which outcome, and what the merchant answered last."""
    with told():
        _tell(run(lambda services: services.dead_callbacks.newest(limit, app_id)), as_json=as_json)


@app.command(
    epilog="Examples:\n\ntidings callback dead show 4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c\n\ntidings callback dead show june"
)
def show(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="messageIds, or batchIds.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show the callbacks of messages and batches, as far as they were given up."""
    with told():
        _tell(run(lambda services: services.dead_callbacks.find(ids)), as_json=as_json)


@app.command(
    epilog="Examples:\n\ntidings callback dead replay --app-id 333301\n\n"
    "tidings callback dead replay --app-id 333301 --yes\n\nExit code: 0, or 1 where an ID has no dead callback.",
)
def replay(ids: Ids = None, *, app_id: OfApp = None, every: All = False, yes: Yes = False) -> None:
    """Make callbacks again, from the start, with the same webhook-id. Without --yes only count.

    Enable the merchant's callback before, where it is disabled.
    """
    with told():
        _check(ids, app_id, every=every)
        _finish(run(lambda services: _let_go(services, (ids, app_id), "replay" if yes else "")), "replay", yes=yes)


@app.command(
    epilog="Example:\n\ntidings callback dead discard --app-id 333301 --yes\n\n"
    "Exit code: 0, or 1 where an ID has no dead callback.",
)
def discard(ids: Ids = None, *, app_id: OfApp = None, every: All = False, yes: Yes = False) -> None:
    """Let callbacks go for good; outcomes can still be looked up. Without --yes only count."""
    with told():
        _check(ids, app_id, every=every)
        _finish(run(lambda services: _let_go(services, (ids, app_id), "discard" if yes else "")), "discard", yes=yes)


def _check(ids: Sequence[str] | None, app_id: str | None, *, every: bool) -> None:
    if sum((bool(ids), app_id is not None, every)) != 1:
        raise ArgumentError("give IDs, or --app-id, or --all")


async def _let_go(
    services: Services, selection: tuple[Sequence[str] | None, str | None], what: str
) -> tuple[int, list[str]]:
    """Return how many were let go, or would be, and which ids have none."""
    (ids, app_id), dead = selection, services.dead_callbacks
    if ids:
        keys = [callback.key for callback in await dead.find(ids)]
    else:
        keys = await dead.every(app_id)
    absent = sorted(set(ids or ()) - {key.subject for key in keys})
    if not what:
        return len(keys), absent
    release = dead.replay if what == "replay" else dead.discard
    done = 0
    for chunk in chunks(keys, _AT_ONCE):
        done += sum(await release(chunk))
    return done, absent


def _finish(result: tuple[int, list[str]], what: str, *, yes: bool) -> None:
    number, absent = result
    say(f"{what}ed {counted(number, 'callback')}" if yes else f"would {what} {counted(number, 'callback')}")
    for subject in absent:
        say(f"  no dead callback: {subject}")
    if not yes and number:
        say(f"nothing was changed; add --yes to {what}")
    raise typer.Exit(EXIT_REFUSED if absent else 0)


def _tell(found: Sequence[DeadCallback], *, as_json: bool) -> None:
    if as_json:
        print_json([_json(one) for one in found])
    elif found:
        show_table(_HEADINGS, map(_row, found))
    else:
        say("no dead callbacks")


def _row(callback: DeadCallback) -> tuple[str | Text, ...]:
    key = callback.key
    status = f"{key.percentage} %" if isinstance(key, ProgressKey) else callback.status or ""
    return (
        utc(callback.died_at),
        key.app_id,
        callback.request_id,
        Text(status, STYLES.get(status, "")),
        str(callback.tries),
        callback.detail,
        key.subject,
    )


def _json(callback: DeadCallback) -> dict[str, object]:
    return {
        "diedAt": callback.died_at,
        "appId": callback.key.app_id,
        **_subject(callback),
        "tries": callback.tries,
        "lastAnswer": callback.detail or None,
    }


def _subject(callback: DeadCallback) -> dict[str, object]:
    match callback.key:
        case OutcomeKey(_, message_id, finality):
            outcome = {"requestId": callback.request_id, "messageId": message_id}
            return {**outcome, "finality": finality, "status": callback.status}
        case ProgressKey(_, batch_id, percentage):
            return {"batchId": batch_id, "percentage": percentage}
        case _:
            assert_never(callback.key)
