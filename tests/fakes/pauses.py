"""Gateways' pauses in memory, for a time that stands still."""

from collections.abc import Mapping


class FakePauses:
    """Implements `ports.GatewayPauses`."""

    def __init__(self) -> None:
        """Start with no gateway paused."""
        self.left: dict[str, int] = {}

    async def pause(self, gateway: str, milliseconds: int) -> None:
        """Let nobody call the gateway for so long; a longer pause in force stays."""
        self.left[gateway] = max(milliseconds, self.left.get(gateway, 0))

    async def remaining(self) -> Mapping[str, int]:
        """Return the milliseconds left by gateway name."""
        return dict(self.left)
