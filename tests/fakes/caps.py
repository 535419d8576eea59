"""Wallets' caps in memory, for one period that never ends."""

from collections import defaultdict
from collections.abc import Sequence

from tests.fakes.outage import Outage
from worker.limit_ports import CapRequest, CapUse


class FakeCaps(Outage):
    """Implements `limit_ports.Caps`."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.counted: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    async def reserve(self, requests: Sequence[CapRequest]) -> list[bool]:
        """Count each message once; False where the cap is reached."""
        self.answer()
        return [self._reserve(request) for request in requests]

    async def uses(self, requests: Sequence[CapRequest]) -> list[CapUse]:
        """Return how much of each cap is used."""
        self.answer()
        places = [self._counted(request) for request in requests]
        return [
            CapUse(len(place), request.message_id in place) for place, request in zip(places, requests, strict=True)
        ]

    def _counted(self, request: CapRequest) -> set[str]:
        return self.counted[request.user.wallet, request.app_id, request.user.customer_id]

    def _reserve(self, request: CapRequest) -> bool:
        counted = self._counted(request)
        if request.message_id not in counted and len(counted) >= request.cap.messages:
            return False
        counted.add(request.message_id)
        return True
