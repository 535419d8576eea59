"""How `tidings send` has sends taken: by the ledger of the settings, or by an API that is called as a client."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.context import Front, run_front
from api_adapter.cli.private_keys import read_signer
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

    url: str
    client_id: str
    key: Path | None
    key_version: int
    server_key: Path | None
    server_key_version: int
    what_waits: str = "the API"

    def run(self, use: Use) -> None:
        """Do as `Way.run` says."""
        from api_adapter.client import Access, AccessError  # noqa: PLC0415 - who sends directly needs none of it
        from api_adapter.send_files.client_sender import ClientSender  # noqa: PLC0415 - as above

        try:
            access = Access(
                self.url,
                self.client_id,
                signer=read_signer("--key", self.key, self.key_version) if self.key else None,
                server_keys={self.server_key_version: _read(self.server_key)} if self.server_key else {},
            )
        except AccessError as error:
            raise ArgumentError(_by_options(str(error))) from None

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


def _by_options(text: str) -> str:
    name, _, rest = text.partition(": ")
    return f"--{name.replace('_', '-').replace('server-keys', 'server-key')}: {rest}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArgumentError(f"--server-key: can't be read ({error.strerror}); give a PEM file") from error


async def _refuse_unknown_client(front: Front, client_id: str) -> None:
    caller = await front.clients.identify({CLIENT_ID: client_id})
    if isinstance(caller, Result):
        raise ArgumentError(f"--client-id: {caller.message}; see tidings client list")
