"""How long a drill's faults take, derived from the settings that rule how soon tidings recovers."""

from dataclasses import dataclass
from typing import Self

from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds."""

    lease: float
    sweep: float
    call: float
    """Longest wallet call."""
    outage: float
    """How long a gateway misbehaves."""

    @classmethod
    def of(cls, settings: Settings, outage: float) -> Self:
        """Return the durations that suit some settings."""
        return cls(settings.lease / 1000, settings.sweep_interval / 1000, settings.call_timeout / 1000, outage)

    @property
    def lead(self) -> float:
        """How long the load runs before a fault begins."""
        return self.lease / 2

    @property
    def tail(self) -> float:
        """How long the load goes on after a fault."""
        return self.lease

    @property
    def frozen(self) -> float:
        """How long a worker is stopped: longer than a lease, and swept."""
        return 1.5 * self.lease + 2 * self.sweep

    @property
    def absence(self) -> float:
        """How long a killed server stays away."""
        return self.outage / 10

    @property
    def slow(self) -> int:
        """How many milliseconds a slow gateway takes: longer than a lease where a call may be so long."""
        return int(800 * self.call)
