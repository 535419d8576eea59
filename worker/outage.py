"""How a worker tells of a store that is away: at once, then ever more rarely, and once when it is back."""

import structlog

from worker.ports import Clock

_FIRST, _LONGEST = 4.0, 60.0
"""Seconds between two lines: doubled each time, up to a minute. The store itself is tried every second or two."""

log = structlog.get_logger(__name__)


class Outage:
    """One time that a store is away, from the first try that failed."""

    def __init__(self, away: str, again: str, clock: Clock, **facts: str) -> None:
        """Keep what is said while it is away, and when it is there again; `facts` stand in each line."""
        self._away, self._again, self._facts = away, again, facts
        self._clock = clock
        self._since: float | None = None
        self._next = 0.0
        self._pause = _FIRST

    def goes_on(self, error: BaseException) -> None:
        """Note that another try failed."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = self._next = now
        if now < self._next:
            return
        log.error(
            self._away, **self._facts, reason=str(error), away_s=round(now - self._since), next_line_s=self._pause
        )
        self._next = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST)

    def ends(self) -> None:
        """Note that a try succeeded."""
        if self._since is not None:
            log.info(self._again, **self._facts, away_s=round(self._clock.monotonic() - self._since))
