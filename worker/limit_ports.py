"""What bounds how much is sent, to a customer, by a merchant and to a gateway, as Protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from worker.contract.rates import Grant, RateLimit, Turn
from worker.contract.users import SendCap, User


@dataclass(frozen=True, slots=True)
class CapRequest:
    """One message's place under its wallet's cap."""

    message_id: str
    app_id: str
    user: User
    cap: SendCap


class CapUse(NamedTuple):
    """How much of a cap is used."""

    messages: int
    """How many messages are counted in the period that ends now."""
    counted: bool
    """Whether the message that was asked for is one of them."""


class Caps(Protocol):
    """The wallets' caps on messages of one appId to one customer (R35)."""

    async def uses(self, requests: Sequence[CapRequest]) -> list[CapUse]:
        """Return how much is used; nothing is counted."""
        ...

    async def reserve(self, requests: Sequence[CapRequest]) -> list[bool]:
        """Count each message once, however often it is asked; False where the cap is reached."""
        ...


class Rates(Protocol):
    """The merchants' rate limits, shared by all API processes (R36). Raises LedgerUnavailableError."""

    async def take(self, asked: Mapping[RateLimit, int]) -> Mapping[RateLimit, Grant]:
        """Let sends through, by how many ask under each limit; what is beyond is counted as refused."""
        ...


class Turns(Protocol):
    """The turns of gateways that have a send rate, shared by all workers. Raises LedgerUnavailableError."""

    async def reserve(self, gateway: str, rate: int, messages: int, patience: int) -> Turn:
        """Take the next free turn, if it begins within `patience` milliseconds; `rate` is messages a second."""
        ...
