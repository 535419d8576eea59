"""A clock that the test moves."""


class FakeClock:
    """Implements `ports.Clock`: it stands still until `advance` moves both of its faces."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        """Start at a time in milliseconds since 1970; the monotonic face starts at 0."""
        self._started = now
        self.milliseconds = now

    def monotonic(self) -> float:
        """Return the seconds that the test let pass."""
        return (self.milliseconds - self._started) / 1000

    def now(self) -> int:
        """Return milliseconds since 1970."""
        return self.milliseconds

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.milliseconds += milliseconds
