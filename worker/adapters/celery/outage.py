"""How a worker tells of a broker that is away: at once, then ever more rarely, and once when it is back."""

import structlog

from worker.ports import Clock

_FIRST, _LONGEST = 4.0, 60.0
"""Seconds between two lines: doubled each time, up to a minute. The broker itself is tried every two seconds."""

log = structlog.get_logger(__name__)


class Outage:
    """One time that the broker is away, from the first try that failed."""

    def __init__(self, broker: str, clock: Clock) -> None:
        """Keep the broker's URL, without its password."""
        self._broker = broker
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
        away = round(now - self._since)
        log.error(
            "broker_unavailable", broker=self._broker, reason=str(error), away_s=away, told_again_in_s=self._pause
        )
        self._next = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST)

    def ends(self) -> None:
        """Note that a try succeeded."""
        if self._since is not None:
            away = round(self._clock.monotonic() - self._since)
            log.info("broker_available_again", broker=self._broker, away_s=away)
