"""`tidings status`: what became of messages, and how."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import orjson
import typer
from rich.text import Text

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.printing import STYLES, AsJson, counted, elapsed, harmless, print_json, screen, stacked, table, utc
from api_adapter.inquiries import NEVER_SEEN, outcome_json
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import DeliveryState
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome, TimelineEntry
from worker.contract.requests import ContractViolationError, Inquiry, parse

EXITS = {ResultStatus.S: 0, ResultStatus.F: 1, ResultStatus.U: 3}
EXIT_NEVER_SEEN = 4
EPILOG = (
    "Examples:\n\n"
    "tidings status 10017019 10017020 --app-id 333301\n\n"
    "tidings status 9f86d081884c7d659a2feaa0c55ad015 --json\n\n"
    "Exit code, the highest that applies: 0 all delivered (S), 1 some failed (F), 3 some open or unanswered (U), "
    "4 some never seen."
)
_MESSAGE_ID = re.compile(r"[0-9a-fA-F]{32}")
_STATES = {
    DeliveryState.OPEN: "retry",
    DeliveryState.S: "delivered",
    DeliveryState.U: "unknown for good",
    DeliveryState.F: "failed",
    DeliveryState.SKIPPED: "skipped",
}


def status(
    ids: Annotated[list[str], typer.Argument(metavar="REQUEST_ID", help="requestIds of one appId, or messageIds.")],
    *,
    app_id: Annotated[str | None, typer.Option(help="The mini program; required for requestIds.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of messages: the outcome of each channel, and every attempt."""
    with told():
        wanted = [_candidates(given, app_id) for given in ids]
        outcomes = run(lambda services: _find(services, wanted))
        if as_json:
            print_json([_json(given, outcome) for given, outcome in zip(ids, outcomes, strict=True)])
        else:
            for given, outcome in zip(ids, outcomes, strict=True):
                _print(given, outcome)
        raise typer.Exit(max(map(_exit_code, outcomes)))


def _exit_code(outcome: MessageOutcome | None) -> int:
    return EXIT_NEVER_SEEN if outcome is None else EXITS[outcome.whole.status]


def _candidates(given: str, app_id: str | None) -> list[str]:
    """Return the messageIds that an argument may mean, the likelier first."""
    itself = [given.lower()] if _MESSAGE_ID.fullmatch(given) else []
    if app_id is None:
        if itself:
            return itself
        raise ArgumentError("--app-id: is required for requestIds (a messageId has 32 hexadecimal digits)")
    try:
        parse(Inquiry, orjson.dumps({"appId": app_id, "requestId": given}))
    except ContractViolationError as violation:
        told_by = str(violation).replace("$.appId", "--app-id").replace("$.requestId", "REQUEST_ID")
        raise ArgumentError(told_by) from None
    return [message_id(app_id, given), *itself]


async def _find(services: Services, wanted: Sequence[Sequence[str]]) -> list[MessageOutcome | None]:
    every = [candidate for candidates in wanted for candidate in candidates]
    found = dict(zip(every, await services.records.find(every), strict=True))
    return [next((found[candidate] for candidate in candidates if found[candidate]), None) for candidates in wanted]


def _json(given: str, outcome: MessageOutcome | None) -> dict[str, object]:
    return {"requestId": given, "status": NEVER_SEEN} if outcome is None else outcome_json(outcome)


def _print(given: str, outcome: MessageOutcome | None) -> None:
    console = screen()
    if outcome is None:
        console.print(Text.assemble((harmless(given), "bold"), ": never seen, or forgotten"))
        console.print()
        return
    for line in _headlines(outcome):
        console.print(line)
    console.print(table(("Channel", "Status", "Code", "Message", "Time"), map(_channel, outcome.deliveries)))
    if outcome.timeline:
        console.print(table(("Attempt", "At", "Took", "Worker", "Result"), map(_attempt, outcome.timeline)))
    console.print()


def _headlines(outcome: MessageOutcome) -> Iterator[Text]:
    whole = outcome.whole
    yield Text.assemble(
        (outcome.request_id, "bold"),
        " ",
        (f"{whole.status} {_in_words(outcome)}", f"bold {STYLES[whole.status]}"),
    )
    template = f"{outcome.template_code} v{outcome.template_version} in {outcome.language}"
    yield Text(f"messageId {outcome.message_id}, app {outcome.app_id}, {template}, lane {outcome.lane}", "dim")
    yield Text(" · ".join(_moments(outcome)))


def _in_words(outcome: MessageOutcome) -> str:
    whole = outcome.whole
    dead = f", dead letter: {outcome.dead_cause}" if outcome.dead_cause else ""
    if whole.status is ResultStatus.S:
        return "delivered"
    if whole.status is ResultStatus.F:
        return ("delivered in part" if whole.partial else "failed") + dead
    return f"{(whole.reason or '').lower()}{dead}"


def _moments(outcome: MessageOutcome) -> Iterator[str]:
    yield f"taken {utc(outcome.taken_at)} by {outcome.client_id}"
    if outcome.settled_at is not None:
        yield f"settled {utc(outcome.settled_at)} after {elapsed(outcome.settled_at - outcome.taken_at)}"
    elif outcome.next_at is not None:
        yield f"next try {utc(outcome.next_at)}"
    if outcome.settled_at is None:
        yield f"expires {utc(outcome.expires_at)}"
    counts = {"attempt": outcome.attempts, "crashed worker": outcome.crashes}
    yield ", ".join(counted(number, noun) for noun, number in counts.items() if number) or "not attempted yet"


def _channel(delivery: DeliveryOutcome) -> tuple[str | Text, ...]:
    known = delivery.status
    if known is None:
        return delivery.channel, Text("SKIPPED", "dim"), "", "the user opted out", ""
    reason = f" {delivery.reason}" if delivery.reason is not None and delivery.reason != delivery.code else ""
    return (
        delivery.channel,
        Text(f"{known}{reason}", STYLES[known]),
        delivery.code,
        delivery.message,
        utc(delivery.at),
    )


def _attempt(entry: TimelineEntry) -> tuple[str | Text, ...]:
    took = elapsed(entry.settled_at - entry.claimed_at)
    results = stacked(map(_result, entry.results or ["nothing learnt"]))
    return str(entry.attempt), utc(entry.claimed_at), took, entry.worker, results


def _result(result: str) -> str:
    """Return `PUSH delivered` for `PUSH=S:`, and `INBOX retry (BUSY)` for `INBOX=O:BUSY`."""
    channel, equals, learnt = result.partition("=")
    if not equals:
        return result
    state, _, code = learnt.partition(":")
    words = _STATES[DeliveryState(state)] if state in list(DeliveryState) else learnt
    return f"{channel} {words} ({code})" if code else f"{channel} {words}"
