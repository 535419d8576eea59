"""Has the ledger do what was decided of batch jobs, and lets them be forgotten.

What is decided is noted first, then carried out in every shard. Whoever dies in between is followed by a sweeper.
"""

import math
from dataclasses import replace
from typing import assert_never

import structlog

from worker.batch_ports import BatchJobs
from worker.contract.batch_jobs import BatchJob, JobState
from worker.contract.messages import Hint
from worker.contract.origins import BatchTally
from worker.origin_ports import Batches, Cancellations, Pauses
from worker.ports import Clock

CARRIED_OUT_BY = 10_000
"""Milliseconds after which somebody else carries out what was decided, and says so."""
_REASON = "the batch was cancelled"
_SOON = 60_000
_LATEST = 86_400_000
"""Milliseconds after which somebody looks at a job again in which nothing changes."""
_TURN = 1.0
"""Seconds after which a long cancel says that it goes on, or lets a sweeper do something else."""
_GOES_ON = 500
"""Milliseconds after which the rest of it is done."""
_A_ROUND = 20
"""Jobs looked at in a round of a sweeper."""

log = structlog.get_logger(__name__)


class BatchKeeper:
    """Looks after batch jobs."""

    def __init__(
        self,
        *,
        jobs: BatchJobs,
        batches: Batches,
        pauses: Pauses,
        cancellations: Cancellations,
        clock: Clock,
        retention: int,
    ) -> None:
        """Keep the stores; `retention` is the milliseconds for which a job outlives its messages."""
        self._jobs = jobs
        self._batches = batches
        self._pauses = pauses
        self._cancellations = cancellations
        self._clock = clock
        self._retention = retention

    async def carry_out(self, job: BatchJob) -> None:
        """Have the ledger do what the job's state says, and what any newer state says. Safe to repeat."""
        await self._carry_out(replace(job, carried_out=False), math.inf)

    async def look_after(self) -> list[Hint]:
        """Carry out what somebody left undone, and forget jobs whose messages are forgotten; hints nothing.

        What was carried out is not done again: somebody may have paused the batch in the ledger since. What came too
        late for a cancel is cancelled whenever somebody looks.

        Whoever looks at a job has it alone, and long cancels are done a second's worth a round: a sweeper has more to
        do.
        """
        until = self._clock.monotonic() + _TURN
        for batch in await self._jobs.take_due(_A_ROUND, CARRIED_OUT_BY):
            job = await self._jobs.find(batch)
            if job is None:
                continue
            if self._is_over(job, await self._batches.tally(batch)):
                await self._batches.forget(batch)
                await self._jobs.forget(job)
                log.info("batch_forgotten", app_id=batch.app_id, batch_id=batch.batch_id)
            else:
                await self._carry_out(job, until)
        return []

    async def _carry_out(self, job: BatchJob, until: float) -> None:
        while True:
            if (not job.carried_out or job.state is JobState.CANCELLED) and not await self._enforce(job, until):
                await self._jobs.hold(job, _GOES_ON)
                return
            if await self._jobs.postpone(job, self._look_after(job)):
                return
            newer = await self._jobs.find(job.origin)
            if newer is None:
                return
            # What was done here may have come after what carried the newer state out.
            job = replace(newer, carried_out=False)

    async def _enforce(self, job: BatchJob, until: float) -> bool:
        """Have the ledger do what a state says; False where that is not all done by the time `until`."""
        match job.state:
            case JobState.RUNNING:
                await self._pauses.resume(job.origin)
                return True
            case JobState.HELD | JobState.PAUSED:
                await self._pauses.pause(job.origin)
                return True
            case JobState.CANCELLED:
                # Paused, so that what is being taken at this moment is not sent either.
                await self._pauses.close(job.origin)
                return await self._cancel(job, until)
            case _:
                assert_never(job.state)

    async def _cancel(self, job: BatchJob, until: float) -> bool:
        hold_at = self._clock.monotonic() + _TURN
        async for _ in self._cancellations.cancel_all(job.origin, _REASON):
            now = self._clock.monotonic()
            if now >= until:
                return False
            if now >= hold_at:
                await self._jobs.hold(job, CARRIED_OUT_BY)
                hold_at = now + _TURN
        return True

    def _look_after(self, job: BatchJob) -> int:
        return min(max(self._age(job), _SOON), _LATEST)

    def _is_over(self, job: BatchJob, tally: BatchTally) -> bool:
        return tally.taken == tally.forgotten and self._age(job) > self._retention

    def _age(self, job: BatchJob) -> int:
        return self._clock.now() - job.changed_at


def ended(tally: BatchTally) -> int:
    """Return how many messages of a batch have their outcome."""
    return tally.taken - tally.open
