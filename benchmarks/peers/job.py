"""What the main job is, whoever runs it: what is validated, rendered, said to the gateway and noted."""

import json
import os
from string import Template
from typing import Any

from worker.contract.parsing import parse
from worker.contract.send_fields import SendRequest

REDIS_URL = os.environ["BENCH_REDIS_URL"]
GATEWAY = os.environ["BENCH_GATEWAY_URL"] + "/v2/platform/message/send"
TIMEOUT = 10
"""Seconds of a call."""
CHANNELS = ("PUSH", "INBOX")
TEXT = Template("Hello, ${who}, your payment of ${amount} has arrived")


def validated(body: bytes) -> tuple[dict[str, Any], str]:
    """Return a send without its token, and the key under which its state is kept."""
    fields = parse(SendRequest, body)
    send = {name: value for name, value in fields.items() if name != "accessToken"}
    return send, f"message:{fields['appId']}:{fields['requestId']}"


def rendered(send: dict[str, Any]) -> str:
    """Return the text of a message."""
    return TEXT.substitute(send["templates"][0]["templateParameters"])


def call(send: dict[str, Any], channel: str, text: str) -> dict[str, Any]:
    """Return the body of a wallet call for one message and channel."""
    content: dict[str, Any] = {"title": "Payment", "content": text, "linkUrl": send["redirectUrl"]}
    if channel == "INBOX":
        content = {"header": {"appName": "Shop"}, "body": {"title": "Payment", "content": text}}
    message = {
        "messageId": f"{send['requestId']}-{channel}",
        "customerId": "customer-1",
        "messageChannel": channel,
        "templateCode": send["templateCode"],
        "messageContent": json.dumps(content),
        "redirectUrl": send["redirectUrl"],
    }
    return {"messages": [message]}


def outcome(answer: dict[str, Any]) -> str:
    """Return S or F for the answer to a call."""
    return "S" if answer["messageSendResults"][0]["success"] else "F"


def whole(outcomes: dict[str, str]) -> str:
    """Return S or F for a message of all its channels."""
    return "S" if set(outcomes.values()) == {"S"} else "F"
