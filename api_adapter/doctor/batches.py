"""Whether what was decided of batch jobs is carried out."""

from worker.batch_ports import BatchJobs
from worker.contract.findings import Finding, Severity

_LOOKED_AT = 100


async def batch_findings(jobs: BatchJobs) -> list[Finding]:
    """Return what is wrong with batch jobs; raises LedgerUnavailableError."""
    due = await jobs.due(_LOOKED_AT)
    if due:
        named = f"{due[0].app_id} {due[0].batch_id}"
        what = f"nobody looks after {len(due)} batch jobs, {named} for one: what was decided of them may not be done"
        return [Finding(Severity.WARNING, what, "start a worker: its sweeper does it within a second")]
    known = len(await jobs.all())
    return [Finding(Severity.OK, f"{known} known" if known else "none")]
