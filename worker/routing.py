"""Which gateway gets a delivery, and whether it is asked before it is sent to again (CONTRACT R11, R69)."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from worker.breaking import Breakers
from worker.contract.errors import TidingsError
from worker.contract.gateways import BreakerState
from worker.contract.messages import Channel, Claim
from worker.contract.users import GatewayRoute, Wallet
from worker.retry import was_unanswered


class UndeliverableError(TidingsError):
    """A message can't be rendered or routed; the text says what to mend."""


class Errand(StrEnum):
    """What a gateway is called for."""

    SEND = "send"
    INQUIRE = "inquire"
    """An earlier answer never came: ask first whether the gateway has it, and send it only if it has not."""


class Way(NamedTuple):
    """Where one delivery goes."""

    route: GatewayRoute
    errand: Errand
    noted: bool
    """Whether the record says so already; else it must be noted before the call."""
    fallbacks: tuple[str, ...]
    """Names of the other gateways that may have it instead."""


class Router:
    """Chooses among a wallet's gateways: the first whose breaker lets calls through.

    A delivery whose answer never came stays with the gateway that may have shown it: no other one knows its messageId.
    """

    def __init__(self, breakers: Breakers) -> None:
        """Keep the breakers."""
        self._breakers = breakers

    def way(self, claim: Claim, channel: Channel, wallet_name: str, wallets: Mapping[str, Wallet]) -> Way:
        """Return where a delivery goes, or raise UndeliverableError."""
        wallet = wallets.get(wallet_name)
        routes = wallet.gateways_for(channel) if wallet else []
        if not routes:
            text = f"no gateway serves {channel} of wallet {wallet_name}; see `tidings wallet put --help`"
            raise UndeliverableError(text)
        named = claim.gateways.get(channel)
        asked_last = next((route for route in routes if route.name == named), routes[0])
        if was_unanswered(claim, channel):
            return Way(asked_last, Errand.INQUIRE if asked_last.inquiry else Errand.SEND, noted=True, fallbacks=())
        route = self._first_that_may_be_called(routes)
        fallbacks = tuple(other.name for other in routes if other is not route)
        return Way(route, Errand.SEND, noted=route is asked_last, fallbacks=fallbacks)

    def may_be_called(self, gateway: str) -> bool:
        """Say whether a call to a gateway would go out now, or be the probe."""
        breaker = self._breakers.of(gateway)
        match breaker.state:
            case BreakerState.OPEN:
                return False
            case BreakerState.HALF_OPEN:
                return not breaker.probing
            case BreakerState.CLOSED:
                return True

    def _first_that_may_be_called(self, routes: Sequence[GatewayRoute]) -> GatewayRoute:
        return next((route for route in routes if self.may_be_called(route.name)), routes[0])
