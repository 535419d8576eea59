"""`tidings dlq replay`: dead letters are sent again, what has S never."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

import typer

from api_adapter.cli.context import Services, run, told
from api_adapter.cli.dlq_letters import AppId, Ids, Where, Yes, check_selection, select
from api_adapter.cli.dlq_receipts import FAILED, FileReceipt
from api_adapter.cli.letter_queries import HELP
from api_adapter.cli.printing import AsJson, counted, print_json
from api_adapter.cli.progress import Meter, Work, progress
from api_adapter.cli.saying import say, say_aside
from worker.contract.dead_letters import DeadLetter, Replayed
from worker.replay import Interventions, Matching, Rehearsal, ReplayOrder, Selection

EXIT_FAILED = 1
EPILOG = (
    f"{HELP}\n\nExamples:\n\ntidings dlq replay --where 'gateway:gcash cause:UNANSWERED newer:1d'\n\n"
    "tidings dlq replay --where 'gateway:gcash cause:UNANSWERED newer:1d' --rate 50 --yes\n\n"
    "tidings dlq replay order-42 order-43 --app-id 333301 --yes\n\n"
    "Exit code: 0 all of them are sent or suppressed (or would be), 1 some failed: they are no dead letters, or their "
    "payload is gone; 2 it could not go on, 130 interrupted: run it again."
)
_RUN_BYTES = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """What the arguments say."""

    ids: tuple[str, ...]
    app_id: str | None
    where: str | None

    @property
    def as_json(self) -> dict[str, object]:
        """What a receipt says of it."""
        if self.where is not None:
            return {"where": " ".join(self.where.split())}
        return {"ids": list(self.ids), "appId": self.app_id}

    @property
    def receipt(self) -> Path:
        """The default name of its receipt: the same selection has the same one."""
        return Path(f"replay-{blake2b(repr(self.as_json).encode(), digest_size=4).hexdigest()}.jsonl")


def replay(  # noqa: PLR0913 - each option is a parameter
    ids: Ids = None,
    *,
    app_id: AppId = None,
    where: Where = None,
    yes: Yes = False,
    rate: Annotated[int | None, typer.Option(min=1, help="Most messages a second; default: no bound.")] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(help="JSON lines of what became of each; default: replay-<digest of the selection>.jsonl here."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again: their F and U channels, never one that has S. Without --yes only count.

    A replayed message is open again, with new tries and a new deadline, and workers deliver it like any other: look
    its outcome up with tidings status. The receipt says of each letter sent, suppressed (nothing is left to send) or
    failed. Interrupted? Run the same command again in the same directory: it goes on and replays nothing twice.
    """
    with told():
        check_selection(ids, where)
        asked = Asked(tuple(ids or ()), app_id, where)
        if not yes:
            rehearsal = run(lambda services: _rehearse(services, asked))
            _tell_rehearsal(rehearsal, as_json=as_json)
            raise typer.Exit(EXIT_FAILED if rehearsal.absent else 0)
        done = run(lambda services: _replay(services, asked, receipt or asked.receipt, rate))
        _tell(done, as_json=as_json)
        raise typer.Exit(EXIT_FAILED if done.counts[FAILED] else 0)


async def _select(services: Services, asked: Asked) -> Selection:
    return await select(services, asked.ids, asked.app_id, asked.where)


async def _rehearse(services: Services, asked: Asked) -> Rehearsal:
    selection = await _select(services, asked)
    return await Interventions(services.dead_letters, services.clock).rehearse(selection)


async def _replay(services: Services, asked: Asked, path: Path, rate: int | None) -> FileReceipt:
    now = await services.dead_letters.now()
    selection = await _select(services, asked)
    receipt = FileReceipt(path, asked.as_json, secrets.token_hex(_RUN_BYTES), now)
    if receipt.resumed:
        say_aside(f"goes on with the run in {path}: {counted(sum(receipt.counts.values()), 'letter')} done")
        selection = _as_of(selection, receipt.started_at)
        await _confirm(services, receipt)
    order = ReplayOrder(receipt.run, services.settings.deliver_within, rate)
    with progress(Work("dlq replay", "letter", None), services.clock) as meter:
        interventions = Interventions(services.dead_letters, services.clock)
        await interventions.replay(selection, order, _Metered(receipt, meter))
    receipt.finish()
    return receipt


def _as_of(selection: Selection, started_at: int) -> Selection:
    """Leave out what died since the run began: it may be what this very run replayed."""
    if not isinstance(selection, Matching):
        return selection
    return Matching(selection.query.not_after(started_at))


async def _confirm(services: Services, receipt: FileReceipt) -> None:
    """Ask the ledger about the step that was interrupted."""
    pending = receipt.pending
    outcomes = await services.records.find(pending)
    reached = [one for one in outcomes if one and any(entry.run == receipt.run for entry in one.interventions)]
    receipt.confirm([outcome.message_id for outcome in reached])


class _Metered:
    """Implements `worker.replay.Receipt`: passes all on and shows how far it is."""

    def __init__(self, receipt: FileReceipt, meter: Meter) -> None:
        self._receipt = receipt
        self._meter = meter
        self.knows = receipt.knows
        self.trying = receipt.trying
        self.absent = receipt.absent

    def replayed(self, letters: Sequence[DeadLetter], results: Sequence[Replayed]) -> None:
        self._receipt.replayed(letters, results)
        number = sum(self._receipt.counts.values())
        self._meter.advance(number, number)


def _tell_rehearsal(found: Rehearsal, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "dryRun": True,
                "letters": found.letters,
                "toSend": found.to_send,
                "failedDeliveries": found.failed,
                "unansweredDeliveries": found.unanswered,
                "deliveredAlready": found.delivered,
                "suppressedLetters": found.suppressed,
                "noDeadLetters": found.absent,
            },
        )
        return
    for line in _rehearsal_lines(found):
        say(line)


def _rehearsal_lines(found: Rehearsal) -> Iterator[str]:
    yield f"{counted(found.letters, 'dead letter')}: would send {counted(found.to_send, 'channel')} of them again"
    if found.delivered:
        yield f"  {counted(found.delivered, 'channel')} of them delivered already (S): never sent again"
    if found.unanswered:
        yield (
            f"  {found.unanswered:,} of those to send are U: the gateway may have shown these; each is sent with the "
            "same key, so a gateway that honours keys shows it once"
        )
    if found.suppressed:
        yield f"  {counted(found.suppressed, 'letter')} with nothing left to send: suppressed, final from then on"
    for message_id in found.absent:
        yield f"  no dead letter: {message_id}"
    yield "nothing was changed; add --yes to replay" if found.letters else "there is nothing to replay"


def _tell(receipt: FileReceipt, *, as_json: bool) -> None:
    if as_json:
        print_json({"dryRun": False, "run": receipt.run, **receipt.counts, "receipt": str(receipt.path)})
        return
    parts = ", ".join(f"{number:,} {result}" for result, number in receipt.counts.items())
    say(f"replayed: {parts}; each one: {receipt.path}")
