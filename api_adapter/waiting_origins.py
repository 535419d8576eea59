"""What is kept from being sent, and why: a merchant or batch that is paused, or a batch job that was not run yet."""

from collections.abc import Sequence
from typing import NamedTuple

from worker.batch_ports import BatchJobs
from worker.contract.batch_jobs import JobState
from worker.contract.origins import Origin, Pause


class WaitingOrigin(NamedTuple):
    """A merchant or batch of which nothing is sent."""

    origin: Origin
    since: int
    """Milliseconds since 1970."""
    state: JobState
    """HELD: its batch job waits to be run. CANCELLED: what would come late is not sent. PAUSED: all others."""


async def waiting_origins(pauses: Sequence[Pause], jobs: BatchJobs) -> list[WaitingOrigin]:
    """Return what the ledger's pauses are, in their order; raises LedgerUnavailableError."""
    states = await jobs.states([pause.origin for pause in pauses])
    return [
        WaitingOrigin(pause.origin, pause.since, JobState.PAUSED if state in {None, JobState.RUNNING} else state)
        for pause, state in zip(pauses, states, strict=True)
    ]
