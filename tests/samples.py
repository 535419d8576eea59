"""Valid examples of the contract's data; what a test is about is replaced by keyword."""

from collections.abc import Mapping
from typing import Any

import orjson

from worker.contract.answers import WalletMessage
from worker.contract.messages import Channel, Claim, Lane
from worker.contract.payload import Payload
from worker.contract.users import GatewayRoute
from worker.holding import Held

NOON = 1_700_000_000_000
"""Milliseconds since 1970 at which the examples were taken."""
OPEN = "O"
"""A channel field of the ledger's record before the first answer."""
MESSAGE_ID = "0a" * 16

PUSH, INBOX = Channel.PUSH, Channel.INBOX


def send_fields(**replaced: object) -> dict[str, Any]:
    """Return the fields of a valid send."""
    return {
        "appId": "3333010071465913",
        "accessToken": "token-of-a-user",
        "requestId": "10017019",
        "templateCode": "PAYMENT_NOTICE",
        "redirectUrl": "/pages/1",
        "templates": [{"language": "en-US", "templateParameters": {"who": "XiaoMing"}}],
        **replaced,
    }


def send_body(**replaced: object) -> bytes:
    """Return a valid send as JSON."""
    return orjson.dumps(send_fields(**replaced))


def payload(**replaced: Any) -> Payload:  # noqa: ANN401 - whatever the fields hold
    """Return what a worker needs of a message of the template PAYMENT_NOTICE, version 1."""
    fields: dict[str, Any] = {
        "customer_id": "2088000000000001",
        "wallet": "GCASH",
        "template_code": "PAYMENT_NOTICE",
        "template_version": 1,
        "language": "en-US",
        "parameters": {"who": "XiaoMing"},
        "redirect_url": "/pages/1",
        "extend_info": None,
    }
    return Payload(**fields | replaced)


def claim(
    message_id: str = MESSAGE_ID,
    deliveries: Mapping[Channel, str] | None = None,
    **replaced: Any,  # noqa: ANN401 - whatever the fields hold
) -> Claim:
    """Return a message just claimed for the first time, an hour before its deadline."""
    fields: dict[str, Any] = {
        "claim_id": "c1",
        "attempt": 1,
        "tries": 0,
        "crashes": 0,
        "taken_at": NOON - 1_000,
        "claimed_at": NOON,
        "expires_at": NOON + 3_600_000,
        "payload": payload().pack(),
    }
    found = {PUSH: OPEN, INBOX: OPEN} if deliveries is None else deliveries
    return Claim(message_id=message_id, deliveries=found, **fields | replaced)


def held(message_id: str = MESSAGE_ID, deadline: float = 6.0, **replaced: Any) -> Held:  # noqa: ANN401 - as `claim`
    """Return a claimed message that may be sent until `deadline`, in seconds of the monotonic clock."""
    return Held(claim(message_id, **replaced), Lane.SINGLE, 0, deadline, deadline + 10)


def wallet_message(message_id: str = f"{MESSAGE_ID}-PUSH", **replaced: Any) -> WalletMessage:  # noqa: ANN401 - as above
    """Return a PUSH message as it goes to a wallet."""
    fields: dict[str, Any] = {
        "customer_id": "2088000000000001",
        "channel": PUSH,
        "template_code": "PAYMENT_NOTICE",
        "content": '{"title":"Paid","content":"$12.50 收到 😀","linkUrl":"/pay"}',
        "redirect_url": "/pay",
        "platform_template_code": "PAY",
    }
    return WalletMessage(message_id=message_id, **fields | replaced)


def route(url: str = "http://wallet.test", name: str = "gcash") -> GatewayRoute:
    """Return a gateway that serves both channels."""
    return GatewayRoute(name, url)
