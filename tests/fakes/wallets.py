"""Wallets in memory."""

from collections.abc import Mapping

from worker.contract.users import Wallet


class FakeWallets:
    """Implements `ports.Wallets`."""

    def __init__(self, *wallets: Wallet) -> None:
        """Hold these wallets; `wallets` may be changed later."""
        self.wallets = {wallet.name: wallet for wallet in wallets}

    async def all(self) -> Mapping[str, Wallet]:
        """Return every wallet by its name."""
        return dict(self.wallets)
