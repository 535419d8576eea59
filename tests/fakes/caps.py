"""Wallets' caps in memory, for one period that never ends."""

from collections import defaultdict
from collections.abc import Sequence

from tests.fakes.outage import Outage
from worker.ports import CapRequest


class FakeCaps(Outage):
    """Implements `ports.Caps`."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.counted: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    async def reserve(self, requests: Sequence[CapRequest]) -> list[bool]:
        """Count each message once; False where the cap is reached."""
        self.answer()
        return [self._reserve(request) for request in requests]

    def _reserve(self, request: CapRequest) -> bool:
        counted = self.counted[request.user.wallet, request.app_id, request.user.customer_id]
        if request.message_id not in counted and len(counted) >= request.cap.messages:
            return False
        counted.add(request.message_id)
        return True
