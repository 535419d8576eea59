"""What the core and the API need of the store of batch jobs, as a Protocol; see `worker.ports`."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from worker.contract.batch_jobs import (
    BatchJob,
    Begun,
    Change,
    Created,
    Extent,
    JobState,
    Moved,
    PartSummary,
    Rejected,
    Upload,
)
from worker.contract.origins import BatchTally, Origin
from worker.contract.progress import Standing


class BatchJobs(Protocol):
    """What is known of batch jobs beside their messages. Raises LedgerUnavailableError when it did not answer.

    Safe to repeat. Durations are in milliseconds.
    """

    async def create(self, batch: Origin, definition: bytes, look: int) -> Created:
        """Note a definition, unless the batch is there; somebody looks at it after `look`."""
        ...

    async def find(self, batch: Origin) -> BatchJob | None:
        """Return a job, or None."""
        ...

    async def states(self, batches: Sequence[Origin]) -> list[JobState | None]:
        """Return the state of each, None for one that is no job."""
        ...

    async def all(self) -> list[Origin]:
        """Return all batches that are jobs, by appId and batchId."""
        ...

    async def begin(self, upload: Upload, sha256: str, extent: Extent) -> Begun:
        """Let an upload take a part, in place of any earlier one; what that one noted as rejected is let go."""
        ...

    async def reject(self, upload: Upload, chunk: int, rows: Sequence[Rejected]) -> bool:
        """Note rejected rows, the chunks in order from 0; False where another upload takes the part."""
        ...

    async def finish(self, upload: Upload, summary: PartSummary) -> bool:
        """Note that a part is done; False where another upload takes it."""
        ...

    async def rejected(self, batch: Origin, part: int, chunk: int) -> list[Rejected] | None:
        """Return a chunk of a part's rejected rows, from 0, None past the last; the rows are in order."""
        ...

    async def move(self, batch: Origin, change: Change, ended: int, look: int) -> Moved:
        """Change the state; if it is not carried out within `look`, somebody else does.

        `ended` is how many messages of the batch have their outcome.
        """
        ...

    async def due(self, most: int) -> list[Origin]:
        """Return the batches at which somebody has to look."""
        ...

    async def take_due(self, most: int, lease: int) -> list[Origin]:
        """Return batches at which somebody has to look; nobody else gets them for `lease`."""
        ...

    async def hold(self, job: BatchJob, look: int) -> bool:
        """Keep others from it for `look`; False where its state was changed since it was read."""
        ...

    async def postpone(self, job: BatchJob, look: int) -> bool:
        """Note that its state is carried out, and when to look next; False where it was changed since it was read."""
        ...

    async def forget(self, job: BatchJob) -> bool:
        """Erase a job and its rejected rows; False where its state was changed since it was read."""
        ...


class Noted(NamedTuple):
    """What was seen of a job's progress."""

    standing: Standing
    """The job as it was read before its messages were counted."""
    passed: int
    """The highest percentage that is passed, or was before; 0: none."""
    look: int
    """Milliseconds after which somebody looks again; not after 100 %."""
    told: BatchTally | None
    """What its merchant is told, if this is more than was passed before; None: it is not told."""


class Progress(Protocol):
    """How far jobs are that were run or cancelled. Raises LedgerUnavailableError when it did not answer.

    Safe to repeat, and with any number of processes at once.
    """

    async def due(self, most: int) -> list[Standing]:
        """Return the jobs at whose progress somebody has to look: none that is held, or that passed 100 %."""
        ...

    async def note(self, notes: Sequence[Noted]) -> list[bool]:
        """Note what was passed and put what is told into the outbox, in one step; one answer each, in order.

        False where the job changed since it was read, or somebody else noted it, and nothing was done.
        """
        ...
