"""`--wait` of `tidings batch run` and `status`: until every message of a batch has its outcome."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.batch_asking import Batch, Way
from api_adapter.cli.context import EXIT_INTERRUPTED
from api_adapter.cli.progress import Meter, Work, progress_on_terminal
from api_adapter.cli.saying import Command, say_aside
from worker.clock import SystemClock
from worker.contract.batch_jobs import JobState
from worker.contract.errors import LedgerFaultError, LedgerUnavailableError

if TYPE_CHECKING:
    from api_adapter.client.batch_jobs import BatchStatus

Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until nothing of it is open; Ctrl-C stops the waiting, not the batch.")
]
_GLANCE = 1.0
"""Seconds between two looks."""
_PATIENCE = 5.0
"""Seconds between two looks while there is no answer."""
_LONG = 30
"""Looks without an outcome after which that is said."""


def waited(way: Way, status: "BatchStatus") -> "BatchStatus":
    """Return how a batch is once nothing of it is open.

    Raises ArgumentError for one that was not run. Ctrl-C ends the command with code 130 and how to wait again.
    """
    name = f"{status.app_id} {status.batch_id}"
    if status.state == JobState.HELD:
        raise ArgumentError(f"--wait: the batch is HELD; run it: {way.command(f'tidings batch run {name} --wait')}")
    try:
        return way.ask(status.app_id, status.batch_id, lambda batch: until_settled(batch, status))
    except KeyboardInterrupt:
        say_aside("stopped waiting; the batch goes on. To wait for it:", how_to_wait(way, status))
        raise typer.Exit(EXIT_INTERRUPTED) from None


def how_to_wait(way: Way, status: "BatchStatus") -> Command:
    """Return the command that waits for a batch which runs."""
    return way.command(f"tidings batch status {status.app_id} {status.batch_id} --wait")


def messages(status: "BatchStatus") -> int:
    """Return how many messages a batch has."""
    return status.open + ended(status)


def ended(status: "BatchStatus") -> int:
    """Return how many of them have their outcome."""
    return status.S + status.U + status.F + status.forgotten


async def until_settled(batch: Batch, status: "BatchStatus") -> "BatchStatus":
    """Look at a batch until nothing of it is open; return how it is then.

    While there is no answer it looks again: an outage in hours of waiting ends nothing.
    """
    clock = SystemClock()
    with progress_on_terminal(Work(status.batch_id, "outcome", messages(status)), clock) as meter:
        looks, first = 0, ended(status)
        while status.open:
            await asyncio.sleep(_GLANCE)
            before, status = status, await _answered(batch)
            looks = looks + 1 if ended(status) == ended(before) else 0
            meter.advance(ended(status), ended(status) - first)
            _tell(meter, before, status, looks)
    return status


async def _answered(batch: Batch) -> "BatchStatus":
    """Return how a batch is, once there is an answer; that there is none yet is said once.

    Raises LedgerFaultError: it would come again with each look.
    """
    from api_adapter.client.errors import UnknownError  # noqa: PLC0415 - `--help` needs none of it

    said = False
    while True:
        try:
            return await batch.status()
        except LedgerFaultError:
            raise
        except LedgerUnavailableError as error:
            if not said:
                say_aside(f"no answer yet: {error}. Looking again every {_PATIENCE:g} s; Ctrl-C is safe.")
                said = True
            await asyncio.sleep(_PATIENCE)
        except UnknownError:  # of each wait for the API is told as it comes
            await asyncio.sleep(_PATIENCE)


def _tell(meter: Meter, before: "BatchStatus", status: "BatchStatus", looks: int) -> None:
    if status.state != before.state:
        meter.say(f"{status.batch_id} is {status.state}")
    if looks == _LONG:
        meter.say(
            f"no outcome for {_LONG} s: is it paused, scheduled, or without a worker? `tidings doctor` knows more"
        )
