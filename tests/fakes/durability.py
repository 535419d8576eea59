"""Stores of which a test says what is wrong."""

from tests.fakes.outage import Outage
from worker.contract.findings import Finding


class FakeDurability(Outage):
    """Implements `ports.Durability`."""

    def __init__(self) -> None:
        """Start with nothing wrong; both lists may be changed later."""
        self.of_ledger: list[Finding] = []
        self.of_broker: list[Finding] = []

    async def findings(self) -> list[Finding]:
        """Return what is wrong with the ledger's store."""
        self.answer()
        return list(self.of_ledger)

    async def broker_findings(self) -> list[Finding]:
        """Return what is wrong with the broker's store."""
        return list(self.of_broker)
