"""The machine's clocks, behind `ports.Clock`."""

import time


class SystemClock:
    """Implements `ports.Clock`."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def now(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000
