"""What a drill sends, to whom: payment notices of a merchant to customers of a wallet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from worker.bootstrap import Services
from worker.contract.identity import message_id
from worker.contract.users import SEND_SCOPE, TokenGrant, User

APP_ID = "drill-app"
CLIENT_ID = "drill"
WALLET = "DRILL"
SECOND_WALLET = "DRILL_TOO"
"""A wallet with a gateway of its own name."""
_CUSTOMERS = 500
_HTTP_EVERY = 10
_TEXTS = {"who": "Maria Santos", "amount": "$12.50", "shop": "Noodle Bar", "time": "12:30"}


class Via(StrEnum):
    """A way in."""

    HTTP = "http"
    BATCH = "batch"
    FAULT = "fault"
    """Not the load's: the fault itself sends it."""


@dataclass(frozen=True, slots=True)
class Send:
    """One notice."""

    request_id: str
    customer_id: str
    via: Via = Via.BATCH
    app_id: str = APP_ID
    wallet: str = WALLET

    @property
    def message_id(self) -> str:
        """The id that it has, whoever takes it."""
        return message_id(self.app_id, self.request_id)

    @property
    def token(self) -> str:
        """The access token that its merchant has of its customer."""
        return f"token-{self.app_id}-{self.customer_id}"

    @property
    def grant(self) -> TokenGrant:
        """What the token grants."""
        return TokenGrant(User(self.customer_id, self.wallet, ("en",)), self.app_id, frozenset({SEND_SCOPE}), None)

    @property
    def body(self) -> bytes:
        """The send as JSON."""
        return orjson.dumps(
            {
                "appId": self.app_id,
                "accessToken": self.token,
                "requestId": self.request_id,
                "templateCode": "PAYMENT_NOTICE",
                "redirectUrl": f"/pages/bill/{self.request_id}",
                "templates": [{"language": "en-US", "templateParameters": _TEXTS}],
            },
        )


def ordinary(messages: int) -> tuple[Send, ...]:
    """Return so many notices, one in ten of them over HTTP and the others in batches."""
    return tuple(
        Send(
            request_id=f"drill-{index:06d}",
            customer_id=f"customer-{index % _CUSTOMERS}",
            via=Via.BATCH if index % _HTTP_EVERY else Via.HTTP,
        )
        for index in range(messages)
    )


def and_one_more(messages: int) -> tuple[Send, ...]:
    """Return what `ordinary` does, and as the last a notice that the fault itself sends."""
    return (*ordinary(messages), Send("drill-again", "customer-0", Via.FAULT))


async def register(services: Services, sends: Iterable[Send]) -> None:
    """Make the tokens of all customers known."""
    grants: Sequence[tuple[str, TokenGrant]] = list({send.token: (send.token, send.grant) for send in sends}.values())
    await services.users.put(grants)
