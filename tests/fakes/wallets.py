"""Wallets in memory."""

from collections.abc import Mapping
from copy import copy

from tests.fakes.outage import Outage
from worker.contract.users import Wallet


class FakeWallets(Outage):
    """Implements `registry_ports.Wallets`."""

    def __init__(self, *wallets: Wallet) -> None:
        """Hold these wallets; `wallets` may be changed later."""
        self.wallets = {wallet.name: wallet for wallet in wallets}

    async def all(self) -> Mapping[str, Wallet]:
        """Return every wallet by its name."""
        self.answer()
        return copy(self.wallets)
