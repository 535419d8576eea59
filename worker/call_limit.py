"""How many calls may be in flight to one gateway from one process: as many as its latency bears.

More calls at once are worth it while the gateway answers them as fast as before. Once it does not, they only wait there
instead of here, where others could still have them.
"""

from dataclasses import dataclass

import structlog

_SHRINK_WHEN_SLOW = 0.8
_SHRINK_WHEN_FAILING = 0.5
_GROW = 0.1
_SLOW = 1.5
"""How many times its usual latency makes a gateway slow."""
_NOISE = 0.005
"""Seconds more than that: what a busy machine adds by itself."""
_FAILING = 0.1
"""Share of calls that fail as a whole."""
_SMALLEST_ROUND = 20
"""Calls that a judgement is made of at least."""
_LEARNING = 0.5
"""Weight of a round that was faster than usual."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallBounds:
    """Between what the limit moves."""

    most: int = 256
    fewest: int = 4
    first: int = 32
    """Where it begins."""

    def clipped(self, calls: float) -> int:
        """Return a number of calls within the bounds."""
        return max(min(self.fewest, self.most), min(self.most, int(calls)))


class CallLimit:
    """The limit of one gateway: doubles until the gateway is slow, then grows by a tenth.

    Slow is measured by the fastest rounds there were. A gateway that is slower for good lets it shrink to the fewest
    calls, at which it is learnt anew what is usual: the latency of so few is not our doing. A round is about as many
    calls as may be in flight, all begun since the limit moved last: earlier ones say nothing of how it is now.
    """

    def __init__(self, gateway: str, bounds: CallBounds) -> None:
        """Begin where the bounds say; moves are logged under the gateway's name, once they double or halve it."""
        self._gateway = gateway
        self._bounds = bounds
        self.calls = bounds.clipped(bounds.first)
        """How many calls may be in flight."""
        self._logged = self.calls
        self._usual: float | None = None
        self._grows_fast = True
        self._moved_at = float("-inf")
        self._begin_round()

    def _begin_round(self) -> None:
        self._answered, self._failed, self._seconds, self._full = 0, 0, 0.0, False

    def throttled(self, begun: float, now: float) -> None:
        """Note that the gateway asked to wait."""
        if begun >= self._moved_at:
            self._shrink(_SHRINK_WHEN_FAILING, now, "throttled")

    def failed(self, begun: float, now: float) -> None:
        """Note that a call failed as a whole."""
        if begun >= self._moved_at:
            self._failed += 1
            self._end_round(now)

    def answered(self, begun: float, now: float, in_flight: int) -> None:
        """Note how long a call took, and how many were in flight, itself included, when it ended."""
        if begun >= self._moved_at:
            self._answered += 1
            self._seconds += now - begun
            self._full = self._full or in_flight >= self.calls
            self._end_round(now)

    def _end_round(self, now: float) -> None:
        ended = self._answered + self._failed
        if ended < max(self.calls, _SMALLEST_ROUND):
            return
        if self._failed > _FAILING * ended:
            self._shrink(_SHRINK_WHEN_FAILING, now, "failing")
        elif self._full:
            self._judge(self._seconds / self._answered, now)
        else:
            # There was less to send than might be: that says nothing of what the gateway bears.
            self._begin_round()

    def _judge(self, mean: float, now: float) -> None:
        if self._usual is None or self.calls == self._bounds.clipped(0):
            self._usual, self._grows_fast = mean, True
        if mean < self._usual:
            self._usual += (mean - self._usual) * _LEARNING
        if mean > self._usual * _SLOW + _NOISE:
            self._shrink(_SHRINK_WHEN_SLOW, now, "slow")
        elif self._grows_fast:
            self._move(self.calls * 2, now, "as fast as before")
        else:
            self._move(self.calls + max(1, int(self.calls * _GROW)), now, "as fast as before")

    def _shrink(self, factor: float, now: float, reason: str) -> None:
        self._grows_fast = False
        self._move(self.calls * factor, now, reason)

    def _move(self, calls: float, now: float, reason: str) -> None:
        self.calls = self._bounds.clipped(calls)
        self._moved_at = now
        self._begin_round()
        if self.calls >= 2 * self._logged or 2 * self.calls <= self._logged:
            log.info("call_limit_moved", gateway=self._gateway, calls=self.calls, before=self._logged, reason=reason)
            self._logged = self.calls
