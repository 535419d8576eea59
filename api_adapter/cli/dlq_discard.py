"""`tidings dlq discard`: dead letters are let go; their outcomes stay."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.dlq_letters import AppId, Ids, Where, Yes, check_selection, select
from api_adapter.cli.letter_queries import HELP
from api_adapter.cli.printing import AsJson, counted, period, print_json
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.saying import say
from worker.contract.dead_letters import MAX_REASON
from worker.replay import Interventions, Rehearsal

EXIT_REFUSED = 1
EPILOG = (
    f"{HELP}\n\nExamples:\n\n"
    "tidings dlq discard --where 'template:SPRING_SALE older:7d' --reason 'the sale is over'\n\n"
    "tidings dlq discard --where 'template:SPRING_SALE older:7d' --reason 'the sale is over' --yes\n\n"
    "tidings dlq discard order-42 --app-id 333301 --reason 'told the user by mail, ticket 4711' --yes\n\n"
    "Exit code: 0 all are discarded (or would be), 1 some are no dead letters, 2 it could not go on, 130 interrupted: "
    "run it again."
)
_RUN_BYTES = 8


@dataclass(slots=True)
class Done:
    """What became of the letters."""

    discarded: int = 0
    absent: list[str] = field(default_factory=list)
    """messageIds that were no dead letters."""


def discard(
    ids: Ids = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the message's timeline. Name no user in it.")],
    app_id: AppId = None,
    where: Where = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let dead letters go for good. Without --yes only count.

    Nobody can replay them afterwards. Their outcomes, F or U, stay, and are forgotten after the retention as those of
    any final message; the payload is erased at once. Interrupted? Run the same command again for the rest.
    """
    with told():
        check_selection(ids, where)
        why = _checked(reason)
        if not yes:
            found = run(lambda services: _rehearse(services, ids, app_id, where))
            _tell_rehearsal(found, as_json=as_json)
            raise typer.Exit(EXIT_REFUSED if found.absent else 0)
        done, retention = run(lambda services: _discard(services, ids, app_id, where, why))
        _tell(done, retention, as_json=as_json)
        raise typer.Exit(EXIT_REFUSED if done.absent else 0)


def _checked(reason: str) -> str:
    text = " ".join(reason.split())
    if not text or len(text) > MAX_REASON:
        raise ArgumentError(f"--reason: must have 1 to {MAX_REASON} characters")
    return text


async def _rehearse(services: Services, ids: Sequence[str] | None, app_id: str | None, where: str | None) -> Rehearsal:
    selection = await select(services, ids, app_id, where)
    return await Interventions(services.dead_letters, services.clock).rehearse(selection)


async def _discard(
    services: Services,
    ids: Sequence[str] | None,
    app_id: str | None,
    where: str | None,
    reason: str,
) -> tuple[Done, int]:
    done, selection = Done(), await select(services, ids, app_id, where)
    interventions = Interventions(services.dead_letters, services.clock)
    with progress(Work("dlq discard", "letter", None), services.clock) as meter:
        async for chosen in interventions.discard(selection, secrets.token_hex(_RUN_BYTES), reason):
            done.discarded += len(chosen.letters)
            done.absent += chosen.absent
            meter.advance(done.discarded, done.discarded)
    return done, services.settings.retention


def _tell_rehearsal(found: Rehearsal, *, as_json: bool) -> None:
    if as_json:
        print_json({"dryRun": True, "letters": found.letters, "noDeadLetters": found.absent})
        return
    say(f"would discard {counted(found.letters, 'dead letter')}")
    _tell_absent(found.absent)
    say("nothing was changed; add --yes to discard" if found.letters else "there is nothing to discard")


def _tell(done: Done, retention: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"dryRun": False, "discarded": done.discarded, "noDeadLetters": done.absent})
        return
    say(f"discarded {counted(done.discarded, 'dead letter')}; outcomes are remembered for {period(retention)}")
    _tell_absent(done.absent)


def _tell_absent(message_ids: Sequence[str]) -> None:
    for message_id in message_ids:
        say(f"  no dead letter: {message_id}")
