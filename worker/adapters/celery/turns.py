"""The order in which a worker asks the broker for its queues (DESIGN, Lanes)."""

from kombu.utils.scheduling import priority_cycle
from typing_extensions import override

_BULK_EVERY = 10


class SingleFirst(priority_cycle):  # type: ignore[type-arg]  # generic in the stubs alone
    """`single` before `bulk`, but every tenth time the other way round: bulk keeps at least a tenth."""

    _asked = 0

    @override
    def consume(self, n: int) -> list[str]:  # type: ignore[override]  # a list in kombu, an iterator in the stubs
        """Return the queues to ask, the first one first."""
        self._asked = (self._asked + 1) % _BULK_EVERY
        queues = list(super().consume(n))
        return queues if self._asked else queues[::-1]
