"""Sees how far batch jobs are, and has their merchants told when 25, 50, 75 and 100 % of the messages have an outcome.

Any number of processes may look at once: one of them notes what was passed, in the step that puts it into the outbox.
"""

from worker.batch_ports import BatchJobs, Noted, Progress
from worker.contract.batch_callbacks import BatchCallbacks
from worker.contract.callbacks import CallbackRegistration
from worker.contract.messages import Hint
from worker.contract.origins import BatchTally, Origin
from worker.contract.progress import Standing, passed
from worker.origin_ports import Batches
from worker.ports import Clock
from worker.registry_ports import CallbackRegistry

_A_ROUND = 100
"""Jobs looked at in a round of a sweeper; those that wait longest come first."""
_SOONEST, _LATEST = 1_000, 10_000
"""Milliseconds between looks at a job. The share of a job's age keeps the delay small beside what it takes in all."""
_SHARE = 20


class ProgressTeller:
    """Implements `origin_ports.Upkeep`."""

    def __init__(
        self, *, progress: Progress, jobs: BatchJobs, batches: Batches, registry: CallbackRegistry, clock: Clock
    ) -> None:
        """Keep the stores."""
        self._progress = progress
        self._jobs = jobs
        self._batches = batches
        self._registry = registry
        self._clock = clock

    async def look_after(self) -> list[Hint]:
        """Note what jobs have passed; hints nothing.

        What is passed while the merchant has no callback, or it is disabled, is noted and not told; so is what it does
        not want to be told of this batch.
        """
        standings = await self._progress.due(_A_ROUND)
        if standings:
            registered = await self._registry.all()
            tallies = await self._batches.tallies([standing.origin for standing in standings])
            await self._progress.note(
                [
                    await self._noted(standing, tally, registered.get(standing.origin.app_id))
                    for standing, tally in zip(standings, tallies, strict=True)
                ]
            )
        return []

    async def _noted(self, standing: Standing, tally: BatchTally, registration: CallbackRegistration | None) -> Noted:
        percentage = passed(standing, tally)
        hears = (
            percentage > standing.passed
            and registration is not None
            and registration.disabled is None
            and await self._is_wanted(standing.origin)
        )
        since = self._clock.now() - standing.changed_at
        look = min(max(since // _SHARE, _SOONEST), _LATEST)
        return Noted(standing, percentage, look, tally if hears else None)

    async def _is_wanted(self, batch: Origin) -> bool:
        # Only asked when a percentage is passed: a definition may be large, and is not to be read with each look.
        job = await self._jobs.find(batch)
        return job is not None and BatchCallbacks.read(job.definition).progress
