"""Whether what was decided of batch jobs is carried out."""

from worker.batch_ports import BatchJobs
from worker.contract.findings import Finding, Severity

_LOOKED_AT = 100


async def batch_findings(jobs: BatchJobs) -> list[Finding]:
    """Return what is wrong with batch jobs; raises LedgerUnavailableError."""
    due = await jobs.due(_LOOKED_AT)
    if due:
        jobs_due = "1 batch job" if len(due) == 1 else f"{len(due)} batch jobs"
        named = f"{due[0].app_id} {due[0].batch_id}"
        what = f"nobody looks after {jobs_due}, {named} for one: what was decided of them may not be done"
        return [Finding(Severity.WARNING, what, "start a worker: its sweeper does it within a second")]
    known = len(await jobs.all())
    return [Finding(Severity.OK, f"{known} known" if known else "none")]
