"""Registered clients in memory."""

from collections.abc import Mapping

from tests.fakes.outage import Outage
from worker.contract.clients import RegisteredClient


class FakeClientRegistry(Outage):
    """Implements `registry_ports.ClientRegistry`."""

    def __init__(self, *clients: RegisteredClient) -> None:
        """Hold these clients; `clients` may be changed later."""
        self.clients = {client.client_id: client for client in clients}

    async def all(self) -> Mapping[str, RegisteredClient]:
        """Return every client by its Client-Id."""
        self.answer()
        return dict(self.clients)
