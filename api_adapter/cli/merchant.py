"""`tidings merchant`: what of a merchant was not sent is paused, resumed, cancelled and counted."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Services, run, told
from api_adapter.cli.known_origins import is_known, note_unknown
from api_adapter.cli.merchant_screen import counts, named, open_text, print_waiting
from api_adapter.cli.printing import AsJson, counted, print_json
from api_adapter.cli.progress import Work, progress
from api_adapter.cli.request_id_files import read_request_ids
from api_adapter.cli.saying import say
from api_adapter.origin_pauses import BatchStateError
from api_adapter.origins import COUNTED
from api_adapter.waiting_origins import WaitingOrigin, waiting_origins
from api_adapter.wiring import make_origin_pauses
from worker.batching import chunks
from worker.contract.batch_jobs import JobState
from worker.contract.cancellations import MAX_CANCELLED, MAX_REASON, Cancelled, Standing
from worker.contract.identity import message_id
from worker.contract.origin_requests import OriginRequest
from worker.contract.origins import Origin

EXIT_NOT_ALL = 1
CANCEL_EPILOG = (
    "Examples:\n\n"
    "tidings merchant cancel 333301\n\n"
    "tidings merchant cancel 333301 --yes --reason 'wrong price'\n\n"
    "tidings merchant cancel 333301 --batch spring-sale --yes\n\n"
    "tidings merchant cancel 333301 --request-ids ids.txt --yes\n\n"
    "Exit code: 0 all are cancelled (or would be), 1 some were sent already or are on their way, 2 it could not go on, "
    "130 interrupted: run it again for the rest."
)

_OF_BATCH_JOBS = {JobState.HELD: "run", JobState.PAUSED: "resume"}

app = typer.Typer(help="Pause, resume, cancel and count what of a merchant was not sent yet.", no_args_is_help=True)

AppId = Annotated[str, typer.Argument(metavar="APPID", help="The merchant's appId.")]
Batch = Annotated[str | None, typer.Option("--batch", metavar="BATCHID", help="Only this batch of it.")]


@app.command("pause", epilog="Example:\n\ntidings merchant pause 333301")
def pause(app_id: AppId, batch: Batch = None, *, as_json: AsJson = False) -> None:
    """Keep what was not sent from being sent, until `tidings merchant resume`.

    It is taken as before meanwhile, and waits. Calls under way end. What reaches its deadline expires. The pause of an
    appId is that of its batches too. An appId that nothing is known of is paused too, with a note: it may be misspelt.
    A batch job that is HELD is refused: nothing of it is sent before `tidings batch run`, which would end the pause.
    """
    with told():
        origin = _origin(app_id, batch)
        found = run(lambda services: _paused(services, origin))
        how = "was paused already" if found.before else "is paused"
        _tell_standing(origin, found, how, as_json=as_json)
        if not found.known:
            note_unknown(origin, f"{named(origin)} is paused all the same")


@app.command("resume", epilog="Example:\n\ntidings merchant resume 333301")
def resume(app_id: AppId, batch: Batch = None, *, as_json: AsJson = False) -> None:
    """Let what was paused go on, within seconds. A batch that was paused by itself stays so.

    What was not paused is left as it is, and that is said. A batch job that is HELD or PAUSED as such goes on by
    `tidings batch run` or `resume`.
    """
    with told():
        origin = _origin(app_id, batch)
        found = run(lambda services: _resumed(services, origin))
        _tell_standing(origin, found, _how_it_goes_on(found), as_json=as_json)
        if not found.known:
            note_unknown(origin, "it may be misspelt")


@app.command("show", epilog="Examples:\n\ntidings merchant show\n\ntidings merchant show 333301 --json")
def show(
    app_id: Annotated[str | None, typer.Argument(metavar="APPID", help="Only of this merchant.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show of what nothing is sent, why and since when; of one APPID also how much of it is open.

    PAUSED: until somebody resumes it. HELD: a batch job that was not run yet. CANCELLED: a batch of which nothing more
    is sent.
    """
    with told():
        origin = None if app_id is None else _origin(app_id, None)
        now, waiting, standing = run(lambda services: _looked_at(services, origin))
        if as_json:
            print_json(
                {
                    "paused": [
                        {
                            "appId": one.origin.app_id,
                            "batchId": one.origin.batch_id or None,
                            "state": one.state,
                            "since": one.since,
                        }
                        for one in waiting
                    ],
                    **({} if standing is None else counts(standing)),
                }
            )
            return
        print_waiting(waiting, now)
        if origin is not None and standing is not None:
            say(f"{named(origin)}: {open_text(standing)}")


@app.command("cancel", epilog=CANCEL_EPILOG)
def cancel(
    app_id: AppId,
    batch: Batch = None,
    request_ids: Annotated[
        Path | None, typer.Option("--request-ids", metavar="FILE", help="Only these, one a line; - is standard input.")
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the messages' story. Name no user in it.")] = "by operator",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it only count.")] = False,
    as_json: AsJson = False,
) -> None:
    """End what was not sent: F CANCELLED, and never sent. Without --yes only count.

    What a gateway was asked for, or what a worker holds at this moment, goes on, and is counted apart. Everything that
    the appId has open is meant, or one batch, or the requestIds of a file. A repeat of a cancelled requestId sends
    nothing.
    """
    with told():
        origin, why = _origin(app_id, batch), _checked(reason)
        if batch is not None and request_ids is not None:
            raise ArgumentError("--batch, --request-ids: only one of them may be given")
        ids = None if request_ids is None else read_request_ids(request_ids)
        if not yes:
            _rehearse(origin, ids, as_json=as_json)
            return
        total, known = run(lambda services: _cancelled(services, origin, ids, why))
        _tell_cancelled(total, as_json=as_json)
        if not known:
            note_unknown(origin, "it may be misspelt")
        raise typer.Exit(EXIT_NOT_ALL if total.total() > total[Cancelled.CANCELLED] else 0)


def _origin(app_id: str, batch: str | None) -> Origin:
    try:
        return OriginRequest.model_validate({"appId": app_id, "batchId": batch}).origin
    except ValueError:
        raise ArgumentError(
            "APPID (1 to 32 characters) and --batch (1 to 64) must not hold @, #, ?, white space or control characters"
        ) from None


def _checked(reason: str) -> str:
    text = " ".join(reason.split())
    if not text or len(text) > MAX_REASON:
        raise ArgumentError(f"--reason: must have 1 to {MAX_REASON} characters")
    return text


class _Found(NamedTuple):
    """What a pause or resume found and did."""

    before: bool
    """Whether it was paused by itself before."""
    still: Origin | None
    """What pauses it now."""
    standing: Standing
    known: bool
    """Whether anything is known of it."""


async def _paused(services: Services, origin: Origin) -> _Found:
    try:
        before = await make_origin_pauses(services).pause(origin)
    except BatchStateError as error:
        raise ArgumentError(f"--batch: {error}") from None
    standing = await services.cancellations.standing(origin)
    return _Found(before, origin, standing, await is_known(services, origin, standing))


async def _resumed(services: Services, origin: Origin) -> _Found:
    pauses = make_origin_pauses(services)
    try:
        before = await pauses.resume(origin)
    except BatchStateError as error:
        verb = _OF_BATCH_JOBS.get(error.state)
        command = f": tidings batch {verb} {origin.app_id} {origin.batch_id}" if verb else ""
        raise ArgumentError(f"--batch: {error}{command}") from None
    still = await pauses.pausing(origin)
    standing = await services.cancellations.standing(origin)
    return _Found(before, still, standing, before or await is_known(services, origin, standing))


def _how_it_goes_on(found: _Found) -> str:
    if found.still is None:
        return "goes on" if found.before else "was not paused"
    itself = "" if found.before else "was not paused by itself, and "
    return f"{itself}is still paused, as {named(found.still)} is"


async def _looked_at(services: Services, origin: Origin | None) -> tuple[int, list[WaitingOrigin], Standing | None]:
    pauses = await services.pauses.paused()
    own = [one for one in pauses if origin is None or one.origin.app_id == origin.app_id]
    waiting = await waiting_origins(own, services.batch_jobs)
    standing = None if origin is None else await services.cancellations.standing(origin)
    return services.clock.now(), waiting, standing


async def _cancelled(
    services: Services, origin: Origin, request_ids: Sequence[str] | None, reason: str
) -> tuple[Counter[Cancelled], bool]:
    total, cancellations = Counter[Cancelled](), services.cancellations
    work = Work("merchant cancel", "message", None if request_ids is None else len(request_ids))
    with progress(work, services.clock) as meter:
        if request_ids is None:
            async for codes in cancellations.cancel_all(origin, reason):
                total += codes
                meter.advance(total.total(), total.total())
        else:
            ids = [message_id(origin.app_id, request_id) for request_id in request_ids]
            for some in chunks(ids, MAX_CANCELLED):
                total += Counter(await cancellations.cancel(origin.app_id, some, reason))
                meter.advance(total.total(), total.total())
    known = total.total() > total[Cancelled.UNKNOWN] or await is_known(services, origin, Standing(0, 0, 0))
    return total, known


def _rehearse(origin: Origin, request_ids: Sequence[str] | None, *, as_json: bool) -> None:
    if request_ids is not None:
        if as_json:
            print_json({"dryRun": True, "requestIds": len(request_ids)})
            return
        say(f"would cancel what was not sent of {counted(len(request_ids), 'requestId')} of {named(origin)}")
    else:
        standing, known = run(lambda services: _standing(services, origin))
        if not known:
            note_unknown(origin, "it may be misspelt")
        if as_json:
            print_json({"dryRun": True, **counts(standing)})
            return
        say(f"would cancel what was not sent of {named(origin)}: {open_text(standing)}")
    say("nothing was changed; add --yes to cancel")


async def _standing(services: Services, origin: Origin) -> tuple[Standing, bool]:
    standing = await services.cancellations.standing(origin)
    return standing, await is_known(services, origin, standing)


def _tell_cancelled(total: Counter[Cancelled], *, as_json: bool) -> None:
    if as_json:
        print_json({"dryRun": False, **{name: total[code] for code, name in COUNTED.items()}})
        return
    nothing = "" if total.total() else ": nothing was open"
    say(f"cancelled {counted(total[Cancelled.CANCELLED], 'message')}{nothing}")
    others = {
        Cancelled.FINAL: "had their outcome already",
        Cancelled.TRIED: "go on: a gateway was asked for them",
        Cancelled.HELD: "go on: a worker holds them; run this again for what comes back unsent",
        Cancelled.LATER: "were taken after this began",
        Cancelled.UNKNOWN: "were never taken, or are forgotten",
    }
    for code, what in others.items():
        if total[code]:
            say(f"  {total[code]:,} {what}")


def _tell_standing(origin: Origin, found: _Found, how: str, *, as_json: bool) -> None:
    if as_json:
        who = {"appId": origin.app_id, "batchId": origin.batch_id or None}
        paused = {"wasPaused": found.before, "paused": found.still is not None}
        print_json({**who, **paused, **counts(found.standing)})
    else:
        say(f"{named(origin)} {how}: {open_text(found.standing)}")
