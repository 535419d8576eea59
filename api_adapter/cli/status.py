"""`tidings status`: what became of messages, and how."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.given_ids import candidates
from api_adapter.cli.printing import STYLES, AsJson, counted, elapsed, harmless, print_json, screen, stacked, utc
from api_adapter.cli.tables import show_table
from api_adapter.inquiries import NEVER_SEEN, outcome_json
from worker.contract.codes import ResultStatus
from worker.contract.messages import DeliveryState, WaitReason
from worker.contract.outcomes import DeliveryOutcome, Intervention, MessageOutcome, TimelineEntry

EXITS = {ResultStatus.S: 0, ResultStatus.F: 1, ResultStatus.U: 3}
EXIT_NEVER_SEEN = 4
EPILOG = (
    "Examples:\n\n"
    "tidings status 10017019 10017020 --app-id 333301\n\n"
    "tidings status 9f86d081884c7d659a2feaa0c55ad015 --json\n\n"
    "Exit code, the highest that applies: 0 all delivered (S), 1 some failed (F), 3 some open or unanswered (U), "
    "4 some never seen."
)
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
        wanted = [candidates(given, app_id) for given in ids]
        outcomes = run(lambda services: _find(services, wanted))
        if as_json:
            print_json([_json(given, outcome) for given, outcome in zip(ids, outcomes, strict=True)])
        else:
            for given, outcome in zip(ids, outcomes, strict=True):
                _print(given, outcome)
        raise typer.Exit(max(map(_exit_code, outcomes)))


def _exit_code(outcome: MessageOutcome | None) -> int:
    return EXIT_NEVER_SEEN if outcome is None else EXITS[outcome.whole.status]


async def _find(services: Services, wanted: Sequence[Sequence[str]]) -> list[MessageOutcome | None]:
    every = [one for meant in wanted for one in meant]
    found = dict(zip(every, await services.records.find(every), strict=True))
    return [next((found[one] for one in meant if found[one]), None) for meant in wanted]


def _json(given: str, outcome: MessageOutcome | None) -> dict[str, object]:
    return {"requestId": given, "status": NEVER_SEEN} if outcome is None else outcome_json(outcome)


def _print(given: str, outcome: MessageOutcome | None) -> None:
    console = screen()
    if outcome is None:
        console.print(Text.assemble((harmless(given), "bold"), ": never seen, or forgotten"))
    else:
        print_story(outcome)
    console.print()


def print_story(outcome: MessageOutcome) -> None:
    """Print a message's outcome, each channel, every attempt, and what people did to it."""
    console = screen()
    for line in _headlines(outcome):
        console.print(line)
    show_table(("Channel", "Status", "Code", "Message", "Time"), map(_channel, outcome.deliveries))
    if outcome.timeline:
        show_table(("Attempt", "At", "Took", "Worker", "Result"), map(_attempt, outcome.timeline))
    for entry in outcome.interventions:
        console.print(Text(_intervention(entry)))


def _intervention(entry: Intervention) -> str:
    reason = f": {harmless(entry.reason)}" if entry.reason else ""
    after = f"after attempt {entry.after_attempt}" if entry.after_attempt else "before any attempt"
    cause = f", was {entry.cause}" if entry.cause else ""
    return f"{utc(entry.at)} {entry.kind.lower()} {after}{cause}{reason}"


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


_WAITS = {
    WaitReason.SCHEDULE: ", as it was sent for that time",
    WaitReason.QUIET_HOURS: ", when the user's quiet hours are over",
    WaitReason.RETRY: "",
}


def _moments(outcome: MessageOutcome) -> Iterator[str]:
    whole = outcome.whole
    yield f"taken {utc(outcome.taken_at)} by {outcome.client_id}"
    if outcome.settled_at is not None:
        yield f"settled {utc(outcome.settled_at)} after {elapsed(outcome.settled_at - outcome.taken_at)}"
    elif outcome.next_at is not None:
        yield f"next try {utc(outcome.next_at)}{_WAITS[outcome.waits_for or WaitReason.RETRY]}"
    if whole.settled_by is not None:
        yield f"settled by {utc(whole.settled_by)}"
    elif whole.status is ResultStatus.U:
        yield "U for good, unless it is replayed"
    counts = {"attempt": outcome.attempts, "crashed worker": outcome.crashes}
    yield ", ".join(counted(number, noun) for noun, number in counts.items() if number) or (
        "not attempted yet" if outcome.settled_at is None else "never attempted"
    )


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
