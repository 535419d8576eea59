"""Gateways' turns in memory; `tests/conformance` holds it and the store in Redis to the same rules."""

from fractions import Fraction
from math import ceil

from tests.fakes.outage import Outage
from worker.contract.rates import Turn
from worker.ports import Clock


class FakeTurns(Outage):
    """Implements `limit_ports.Turns` on the time of a clock, with exact numbers."""

    def __init__(self, clock: Clock) -> None:
        """Start with every turn free."""
        self._clock = clock
        self._begins: dict[str, Fraction] = {}

    async def reserve(self, gateway: str, rate: int, messages: int, patience: int) -> Turn:
        """Take the next free turn, if it begins within `patience` milliseconds; `rate` is messages a second."""
        self.answer()
        now = Fraction(self._clock.now())
        begins = max(now, self._begins.get(gateway, now))
        wait = ceil(begins - now)
        if wait > patience:
            return Turn(0, wait)
        self._begins[gateway] = begins + Fraction(messages * 1000, rate)
        return Turn(messages, wait)

    def begins(self, gateway: str) -> int:
        """Return when the next turn of a gateway begins, in milliseconds since 1970."""
        return ceil(self._begins.get(gateway, Fraction(0)))
