"""Pauses of merchants and batches by whoever asks, API or command line: what a batch job's own state says stands."""

from dataclasses import dataclass

from worker.batch_keeping import BatchKeeper
from worker.batch_ports import BatchJobs
from worker.contract.batch_jobs import BatchJob, JobState
from worker.contract.errors import TidingsError
from worker.contract.origins import Origin
from worker.origin_ports import Pauses

_HOW_IT_GOES_ON = {
    JobState.HELD: "run it as a batch job",
    JobState.PAUSED: "resume it as a batch job",
    JobState.CANCELLED: "use a new batchId",
}
_HELD_ALREADY = "it is held already: nothing of it is sent before it is run"


class BatchStateError(TidingsError):
    """A batch job's own state is not to be changed by a pause or its end; the text says what can be done."""

    def __init__(self, state: JobState, advice: str) -> None:
        """Keep the state."""
        super().__init__(f"the batch is {state}; {advice}")
        self.state = state


@dataclass(frozen=True, slots=True)
class OriginPauses:
    """Pauses and resumes merchants and batches. Raises LedgerUnavailableError when the store did not answer."""

    jobs: BatchJobs
    pauses: Pauses
    keeper: BatchKeeper

    async def pause(self, origin: Origin) -> bool:
        """Keep what was not sent from being sent; return whether it was so before. Safe to repeat.

        Raises BatchStateError for a batch job that is HELD: its run would end the pause.
        """
        job = await self._job(origin)
        if job is not None and job.state is JobState.HELD:
            raise BatchStateError(job.state, _HELD_ALREADY)
        return await self.pauses.pause(origin)

    async def resume(self, origin: Origin) -> bool:
        """Let it go on; return whether it was paused by itself. Safe to repeat.

        Raises BatchStateError for a batch job that is HELD, PAUSED or CANCELLED as such, also where it became so
        meanwhile: it is so still.
        """
        _let_through(await self._job(origin))
        before = await self.pauses.resume(origin)
        # Somebody may have changed the state since it was read, and carried it out before the pause was ended here.
        job = await self._job(origin)
        if job is not None and job.state is not JobState.RUNNING:
            await self.keeper.carry_out(job)
            _let_through(job)
        return before

    async def pausing(self, origin: Origin) -> Origin | None:
        """Return what pauses it now: itself, or the merchant of a batch."""
        paused = {pause.origin for pause in await self.pauses.paused()}
        return next((one for one in origin.pausing if one in paused), None)

    async def _job(self, origin: Origin) -> BatchJob | None:
        return await self.jobs.find(origin) if origin.batch_id else None


def _let_through(job: BatchJob | None) -> None:
    if job is not None and job.state is not JobState.RUNNING:
        raise BatchStateError(job.state, _HOW_IT_GOES_ON[job.state])
