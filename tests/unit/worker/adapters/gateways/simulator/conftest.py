"""Messages of a wallet call, for the simulator's unit tests."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from worker.adapters.gateways.simulator.calls import CallMessage, parse_call

MessageFields = Callable[..., dict[str, Any]]
MakeMessage = Callable[..., CallMessage]


@pytest.fixture
def fields() -> MessageFields:
    """Return a maker of one valid PUSH message as JSON fields, with fields replaced by keyword."""

    def make(**replaced: object) -> dict[str, Any]:
        return {
            "messageId": "0a" * 16 + "-PUSH",
            "customerId": "2088000000000001",
            "messageChannel": "PUSH",
            "templateCode": "PAYMENT_NOTICE",
            "messageContent": '{"title":"Paid","content":"$12.50 😀 收到","linkUrl":"/pay"}',
            "redirectUrl": "/pay",
            "extendInfo": {"platformTemplateCode": "PAY"},
            **replaced,
        }

    return make


@pytest.fixture
def make_message(fields: MessageFields) -> MakeMessage:
    """Return a maker of one validated message."""

    def make(**replaced: object) -> CallMessage:
        return parse_call(orjson.dumps({"messages": [fields(**replaced)]}))[0]

    return make
