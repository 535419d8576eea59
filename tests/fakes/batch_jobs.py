"""Batch jobs in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.fakes.clock import FakeClock
from tests.fakes.outage import Outage
from worker.batch_ports import Noted
from worker.contract.batch_jobs import (
    MAX_ROWS,
    BatchJob,
    Begun,
    Change,
    Created,
    Extent,
    JobPart,
    JobState,
    Moved,
    PartSummary,
    Rejected,
    Upload,
)
from worker.contract.callbacks import BatchProgress, ProgressKey
from worker.contract.origins import Origin
from worker.contract.progress import THRESHOLDS, WHOLE, Standing


@dataclass
class _Kept:
    job: BatchJob
    look_at: int
    uploads: dict[int, str] = field(default_factory=dict)
    rejected: dict[int, list[list[Rejected]]] = field(default_factory=dict)
    passed: int = 0
    watch_at: int | None = None
    """When somebody looks how far it is; None: nobody does."""


class FakeBatchJobs(Outage):
    """Implements `batch_ports.BatchJobs`."""

    def __init__(self, clock: FakeClock) -> None:
        """Hold none; the clock's `now` is the ledger's."""
        self._clock = clock
        self._kept: dict[Origin, _Kept] = {}
        self.progress: dict[ProgressKey, BatchProgress] = {}
        """What is told of jobs; shared with the outbox of a test."""
        self.passed: list[ProgressKey] = []

    async def create(self, batch: Origin, definition: bytes, look: int) -> Created:
        """Note a definition, unless the batch is there."""
        self.answer()
        known = self._kept.get(batch)
        if known is not None:
            return Created.KNOWN if known.job.definition == definition else Created.INCONSISTENT
        now = self._clock.now()
        job = BatchJob(batch, definition, JobState.HELD, 0, now, now, 0, ())
        self._kept[batch] = _Kept(job, now + look)
        return Created.NEW

    async def find(self, batch: Origin) -> BatchJob | None:
        """Return a job, or None."""
        self.answer()
        known = self._kept.get(batch)
        return known.job if known else None

    async def states(self, batches: Sequence[Origin]) -> list[JobState | None]:
        """Return the state of each."""
        self.answer()
        return [self._kept[batch].job.state if batch in self._kept else None for batch in batches]

    async def all(self) -> list[Origin]:
        """Return all batches that are jobs."""
        self.answer()
        return sorted(self._kept)

    async def begin(self, upload: Upload, sha256: str, extent: Extent) -> Begun:
        """Let an upload take a part."""
        self.answer()
        known = self._kept.get(upload.batch)
        if known is None:
            return Begun.ABSENT
        part = next((one for one in known.job.parts if one.number == upload.part), None)
        if known.job.state is JobState.CANCELLED and (part is None or part.done_at is None):
            return Begun.CANCELLED
        if part is None:
            if sum(one.extent.rows for one in known.job.parts) + extent.rows > MAX_ROWS:
                return Begun.TOO_MANY
            self._put(known, JobPart(upload.part, sha256, extent, None))
        elif (part.sha256, part.extent) != (sha256, extent):
            return Begun.INCONSISTENT
        elif part.done_at is not None:
            return Begun.DONE
        known.uploads[upload.part] = upload.upload_id
        known.rejected[upload.part] = []
        return Begun.BEGUN

    async def reject(self, upload: Upload, chunk: int, rows: Sequence[Rejected]) -> bool:
        """Note rejected rows."""
        known = self._writable(upload)
        if known is None:
            return False
        chunks = known.rejected[upload.part]
        if len(chunks) == chunk:
            chunks.append(list(rows))
        return True

    async def finish(self, upload: Upload, summary: PartSummary) -> bool:
        """Note that a part is done."""
        known = self._writable(upload)
        if known is None:
            return False
        part = next(one for one in known.job.parts if one.number == upload.part)
        if part.done_at is None:
            self._put(known, replace(part, done_at=self._clock.now(), summary=summary))
        return True

    async def rejected(self, batch: Origin, part: int, chunk: int) -> list[Rejected] | None:
        """Return a chunk of a part's rejected rows."""
        self.answer()
        known = self._kept.get(batch)
        chunks = known.rejected.get(part, []) if known else []
        return chunks[chunk] if chunk < len(chunks) else None

    async def move(self, batch: Origin, change: Change, ended: int, look: int) -> Moved:
        """Change the state."""
        self.answer()
        known = self._kept.get(batch)
        if known is None:
            return Moved.ABSENT
        job, now = known.job, self._clock.now()
        if job.state is not change.state:
            if job.state not in change.after:
                return Moved.REFUSED
            if job.state is JobState.HELD and change.state is JobState.RUNNING and (job.lacking or not job.parts):
                return Moved.INCOMPLETE if job.lacking else Moved.EMPTY
            known.job = replace(
                job, state=change.state, version=job.version + 1, carried_out=False, changed_at=now, ended_before=ended
            )
            known.watch_at = None if known.passed == WHOLE else now
        known.look_at = now + look
        return Moved.MOVED

    async def due(self, most: int) -> list[Origin]:
        """Return the batches at which somebody has to look."""
        self.answer()
        now = self._clock.now()
        return [batch for batch, known in self._kept.items() if known.look_at <= now][:most]

    async def take_due(self, most: int, lease: int) -> list[Origin]:
        """Return the batches at which somebody has to look, and keep others from them."""
        taken = await self.due(most)
        for batch in taken:
            self._kept[batch].look_at = self._clock.now() + lease
        return taken

    async def hold(self, job: BatchJob, look: int) -> bool:
        """Keep others from it."""
        self.answer()
        known = self._kept.get(job.origin)
        if known is None or known.job.version != job.version:
            return False
        known.look_at = self._clock.now() + look
        return True

    async def postpone(self, job: BatchJob, look: int) -> bool:
        """Have somebody look at it later."""
        self.answer()
        known = self._kept.get(job.origin)
        if known is None or known.job.version != job.version:
            return False
        known.job = replace(known.job, carried_out=True)
        known.look_at = self._clock.now() + look
        return True

    async def forget(self, job: BatchJob) -> bool:
        """Erase a job."""
        self.answer()
        known = self._kept.get(job.origin)
        if known is None or known.job.version != job.version:
            return False
        del self._kept[job.origin]
        for percent in THRESHOLDS:
            self.progress.pop(ProgressKey(*job.origin, percent), None)
        return True

    def standings(self) -> list[Standing]:
        """Return what `FakeProgress` tells."""
        self.answer()
        now = self._clock.now()
        return [
            Standing(
                origin,
                known.job.state,
                known.job.version,
                _rows(known.job),
                len(known.job.lacking),
                known.job.created_at,
                known.job.changed_at,
                known.passed,
            )
            for origin, known in self._kept.items()
            if known.watch_at is not None and known.watch_at <= now
        ]

    def note(self, note: Noted) -> bool:
        """Do what `FakeProgress` does."""
        self.answer()
        standing, now = note.standing, self._clock.now()
        known = self._kept.get(standing.origin)
        if known is None or _compared(known) != (standing.version, standing.rows, standing.passed):
            return False
        known.watch_at = None if note.passed == WHOLE else now + note.look
        if note.passed != known.passed and note.told is not None:
            key = ProgressKey(*standing.origin, note.passed)
            self.progress[key] = BatchProgress(key, now, standing.created_at, standing.state, note.told)
            self.passed.append(key)
        if note.passed == WHOLE != known.passed:
            known.job = replace(known.job, settled_at=now)
        known.passed = note.passed
        return True

    def _writable(self, upload: Upload) -> _Kept | None:
        self.answer()
        known = self._kept.get(upload.batch)
        return known if known and known.uploads.get(upload.part) == upload.upload_id else None

    def _put(self, known: _Kept, part: JobPart) -> None:
        others = [one for one in known.job.parts if one.number != part.number]
        known.job = replace(known.job, parts=tuple(sorted([*others, part], key=lambda one: one.number)))


def _rows(job: BatchJob) -> int:
    return sum(part.extent.rows for part in job.parts)


def _compared(known: _Kept) -> tuple[int, int, int]:
    return known.job.version, _rows(known.job), known.passed


class FakeProgress:
    """Implements `batch_ports.Progress` over the jobs."""

    def __init__(self, jobs: FakeBatchJobs) -> None:
        """Look at these."""
        self._jobs = jobs

    async def due(self, most: int) -> list[Standing]:
        """Return the jobs at whose progress somebody has to look."""
        return self._jobs.standings()[:most]

    async def note(self, notes: Sequence[Noted]) -> list[bool]:
        """Note what was passed."""
        return [self._jobs.note(note) for note in notes]
