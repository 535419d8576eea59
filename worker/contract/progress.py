"""How far a batch job is: which of 25, 50, 75 and 100 % of its messages have their outcome. Pure."""

from dataclasses import dataclass

from worker.contract.batch_jobs import JobState
from worker.contract.origins import BatchTally, Origin

THRESHOLDS = (25, 50, 75, 100)
"""Percent."""
WHOLE = THRESHOLDS[-1]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a batch job beside its messages, as far as its progress depends on it."""

    origin: Origin
    state: JobState
    version: int
    """Raised by each change of state."""
    rows: int
    """Of all parts: raised before the first row of a part is taken."""
    lacking: int
    """Parts that are being taken, or have to be uploaded again."""
    created_at: int
    changed_at: int
    """When the state was changed last, in milliseconds since 1970."""
    passed: int
    """The highest percentage that was passed before; 0: none."""

    @property
    def is_complete(self) -> bool:
        """Whether no row is on its way: a part that lacks may yet come, but not to a batch that is cancelled."""
        return self.lacking == 0 or self.state is JobState.CANCELLED


def passed(standing: Standing, tally: BatchTally) -> int:
    """Return the highest percentage that is passed, once or now; the tally must be newer than the standing."""
    if standing.is_complete and not tally.open:
        return WHOLE
    share = 100 * (tally.taken - tally.open) // tally.taken if tally.taken else 0
    return max(standing.passed, *(percent for percent in (0, *THRESHOLDS[:-1]) if percent <= share))
