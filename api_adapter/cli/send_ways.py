"""How `tidings send` has sends taken: by the ledger of the settings, or by an API that is called as a client."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from api_adapter.cli.api_access import ApiOptions
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Front, run_front
from api_adapter.clients import CLIENT_ID
from api_adapter.send_files.senders import IntakeSender, Sender, Waiting
from worker.contract.codes import Result

Use: TypeAlias = Callable[[Callable[[Waiting], Sender]], Awaitable[None]]
"""Sends a file with the sender that it makes for whoever is to be told of waiting."""


class Way(Protocol):
    """A way to have sends taken."""

    @property
    def what_waits(self) -> str:
        """What did not answer, where something is unknown."""
        ...

    def run(self, use: Use) -> None:
        """Have a file sent; raises ArgumentError for options that can't be used."""
        ...


@dataclass(frozen=True, slots=True)
class Directly:
    """Implements `Way` for whoever runs tidings: the settings name the ledger, nothing is signed."""

    client_id: str
    what_waits: str = "the store"

    def run(self, use: Use) -> None:
        """Do as `Way.run` says."""

        async def main(front: Front) -> None:
            await _refuse_unknown_client(front, self.client_id)
            await use(lambda waiting: IntakeSender(front.intake, self.client_id, waiting))

        run_front(main)


@dataclass(frozen=True, slots=True)
class OverTheApi:
    """Implements `Way` for merchants: signed calls of an API."""

    options: ApiOptions
    client_id: str

    @property
    def what_waits(self) -> str:
        """The API, with its address: a wrong one is seen at once."""
        return f"the API at {self.options.url}"

    def run(self, use: Use) -> None:
        """Do as `Way.run` says."""
        access = self.options.access(self.client_id)
        from api_adapter.send_files.client_sender import ClientSender  # noqa: PLC0415 - as for access

        async def main() -> None:
            senders: list[ClientSender] = []

            def made(waiting: Waiting) -> Sender:
                senders.append(ClientSender(access, waiting))
                return senders[-1]

            try:
                await use(made)
            finally:
                for sender in senders:
                    await sender.close()

        asyncio.run(main())


async def _refuse_unknown_client(front: Front, client_id: str) -> None:
    caller = await front.clients.identify({CLIENT_ID: client_id})
    if isinstance(caller, Result):
        raise ArgumentError(f"--client-id: {caller.message}; see tidings client list")
