"""A broker that only remembers."""

from collections.abc import Sequence

from worker.contract.messages import Hint


class FakeHints:
    """Implements `ports.Hints`: keeps what was published, in order."""

    def __init__(self) -> None:
        """Start with nothing published."""
        self.published: list[Hint] = []
        self.flushed: list[float] = []

    @property
    def message_ids(self) -> list[str]:
        """Every id published so far, in order."""
        return [message_id for hint in self.published for message_id in hint.message_ids]

    def publish(self, hints: Sequence[Hint]) -> None:
        """Remember hints."""
        self.published += hints

    def flush(self, seconds: float) -> bool:
        """Remember for how long the caller would have waited."""
        self.flushed.append(seconds)
        return True
