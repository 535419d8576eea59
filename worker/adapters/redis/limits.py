"""How the ledger schedules."""

from dataclasses import dataclass

from worker.contract.messages import Lane


@dataclass(frozen=True, slots=True)
class LedgerLimits:
    """How the ledger schedules; durations in milliseconds. See the settings of the same names."""

    lease: int = 6_000
    grace: int = 3_000
    longest_grace: int = 60_000
    sweep_size: int = 400
    window_single: int = 200
    window_bulk: int = 500
    waiting: int = 1_000
    retention: int = 7 * 86_400_000
    staging: int = 60_000
    """How long a batch may be staged without a word, before it is withdrawn."""

    def window(self, lane: Lane) -> int:
        """Return how many messages of one merchant may be released and not final, per shard."""
        return self.window_single if lane is Lane.SINGLE else self.window_bulk
