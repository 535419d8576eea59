"""Merchants' rate limits in memory; `tests/conformance` holds it and the store in Redis to the same rules."""

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor

from tests.fakes.outage import Outage
from worker.contract.rates import Grant, RateLimit
from worker.ports import Clock


class FakeRates(Outage):
    """Implements `limit_ports.Rates` on the time of a clock, with exact numbers."""

    def __init__(self, clock: Clock) -> None:
        """Start with nothing used."""
        self._clock = clock
        self._arrivals: dict[RateLimit, Fraction] = {}
        self.refused: dict[RateLimit, int] = defaultdict(int)
        self.calls: list[Mapping[RateLimit, int]] = []

    async def take(self, asked: Mapping[RateLimit, int]) -> dict[RateLimit, Grant]:
        """Let sends through, by how many ask under each limit."""
        self.answer()
        self.calls.append(dict(asked))
        return {limit: self._take(limit, number) for limit, number in asked.items()}

    def _take(self, limit: RateLimit, number: int) -> Grant:
        now, interval = Fraction(self._clock.now()), Fraction(1000, limit.rate)
        arrival = max(now, self._arrivals.get(limit, now))
        room = max(0, floor((now + 1000 - arrival) / interval))
        taken = min(number, room)
        self._arrivals[limit] = arrival = arrival + taken * interval
        self.refused[limit] += number - taken
        left = room - taken
        return Grant(taken, left, 0 if left else max(1, ceil(arrival + interval - 1000 - now)))
