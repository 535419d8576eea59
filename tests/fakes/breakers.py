"""The gateways' breakers in memory; `tests/conformance` holds it and the store in Redis to the same rules."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fakes.outage import Outage
from worker.adapters.redis.breakers import BreakerTimes
from worker.contract.gateways import OpenedBreaker


@dataclass(slots=True)
class _Opened:
    until: int
    since: int
    times: int = 0
    probed_until: int = 0
    reason: str = ""


class FakeBreakers(Outage):
    """Implements `ports.BreakerStore`. A test sets `now` (milliseconds), and `away` to have it fail."""

    def __init__(self, times: BreakerTimes | None = None, now: int = 1_700_000_000_000) -> None:
        """Start with all of them closed."""
        self.now = now
        self._times = times or BreakerTimes()
        self._opened: dict[str, _Opened] = {}

    async def open(self, gateway: str, reason: str, asked: int | None) -> int:
        """Open a breaker, for the milliseconds that the gateway `asked` for or else for twice the time before."""
        self.answer()
        known = self._opened.setdefault(gateway, _Opened(0, self.now))
        if asked is not None:
            known.until = max(known.until, self.now + asked)
        elif known.until <= self.now:
            known.times += 1
            known.until = self.now + min(self._times.longest, self._times.first * 2 ** (known.times - 1))
        known.probed_until, known.reason = 0, reason
        return known.until - self.now

    async def probe(self, gateway: str) -> int:
        """Take the right to the one call that asks whether a gateway is back; 0, or the milliseconds to wait."""
        self.answer()
        known = self._opened.get(gateway)
        if known is None:
            return 0
        wait = max(known.until, known.probed_until) - self.now
        if wait > 0:
            return wait
        known.probed_until = self.now + self._times.longest
        return 0

    async def close(self, gateway: str) -> None:
        """Let everybody call the gateway again."""
        self.answer()
        self._opened.pop(gateway, None)

    async def opened(self) -> Mapping[str, OpenedBreaker]:
        """Return the breakers that are not closed, by gateway name."""
        self.answer()
        return {
            name: OpenedBreaker(max(0, one.until - self.now), one.since, one.times, one.reason)
            for name, one in self._opened.items()
        }
