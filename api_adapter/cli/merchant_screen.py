"""How `tidings merchant` says what is open and what waits."""

from collections.abc import Sequence

from api_adapter.cli.printing import counted, elapsed, utc
from api_adapter.cli.saying import say
from api_adapter.cli.tables import show_table
from api_adapter.waiting_origins import WaitingOrigin
from worker.contract.cancellations import Standing
from worker.contract.origins import Origin


def counts(standing: Standing) -> dict[str, int]:
    """Return how much is open, by the names that JSON has."""
    return {"waiting": standing.backlogged, "scheduled": standing.scheduled, "due": standing.due}


def print_waiting(waiting: Sequence[WaitingOrigin], now: int) -> None:
    """Print of what nothing is sent, why and since when; `now` is ms since 1970."""
    if not waiting:
        say("nothing is paused")
        return
    rows = [
        (one.origin.app_id, one.origin.batch_id, one.state, utc(one.since), elapsed(max(0, now - one.since)))
        for one in waiting
    ]
    show_table(("appId", "batch", "state", "since", "for"), rows)


def named(origin: Origin) -> str:
    """Return what a merchant or batch is called in a sentence."""
    return f"batch {origin.batch_id} of {origin.app_id}" if origin.batch_id else origin.app_id


def open_text(standing: Standing) -> str:
    """Return how much is open, and what it waits for."""
    scheduled = f", {standing.scheduled:,} for their time" if standing.scheduled else ""
    waiting = counted(standing.backlogged, "message")
    return f"{waiting} waiting{scheduled}, {standing.due:,} with workers or to be tried again"
