"""Calls a wallet's `POST /v2/platform/message/send` (R65), and its inquiry: up to 20 messages, one answer each."""

from collections.abc import Sequence

import orjson

from worker.adapters.gateways.answers import read_answers, read_inquiry
from worker.adapters.http_calls.client import HttpClient
from worker.adapters.http_calls.errors import AnswerTimeoutError, CallError, NeverSentError, UnreadableAnswerError
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.users import GatewayRoute
from worker.ports import Clock

SEND_PATH = "/v2/platform/message/send"
INQUIRY_PATH = "/v2/platform/message/inquiry"


class WalletGateway:
    """Implements `ports.Gateway` over HTTP. One client, and so one pool of connections, a process."""

    def __init__(self, clock: Clock, call_timeout: int) -> None:
        """Connects at the first call, each of which may take `call_timeout` milliseconds in all."""
        self._clock = clock
        self._client = HttpClient(call_timeout / 1000)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        """Deliver in one call; one Answer for each message, in order. Never raises for what the network does."""
        reply = await self._post(route.url + SEND_PATH, {"messages": [_wire(message) for message in messages]})
        if isinstance(reply, Answer):
            return [reply] * len(messages)
        return read_answers([message.message_id for message in messages], *reply, self._clock.now())

    async def inquire(self, route: GatewayRoute, message_ids: Sequence[str]) -> list[Answer | None]:
        """Ask in one call what became of messages, in order; None where the gateway has not got it.

        Never raises for what the network does.
        """
        reply = await self._post(route.url + INQUIRY_PATH, {"messageIds": message_ids})
        if isinstance(reply, Answer):
            return [reply] * len(message_ids)
        return read_inquiry(message_ids, *reply, self._clock.now())

    async def _post(self, url: str, content: object) -> tuple[int, str | None, bytes] | Answer:
        """Return status, Retry-After and body, or what it means for each message that there is none."""
        try:
            return await self._client.post(url, orjson.dumps(content))
        except CallError as error:
            return _failure(error)


def _failure(error: CallError) -> Answer:
    if isinstance(error, NeverSentError):
        return Answer(AnswerKind.UNREACHABLE, "GATEWAY_UNREACHABLE", f"{type(error).__name__}: {error}")
    if isinstance(error, AnswerTimeoutError):
        return Answer(AnswerKind.UNANSWERED, message="the gateway did not answer in time")
    if isinstance(error, UnreadableAnswerError):
        return Answer(AnswerKind.UNANSWERED, message=f"the gateway's answer is unreadable ({error})")
    return Answer(AnswerKind.UNANSWERED, message=f"the connection broke ({error})")


def _wire(message: WalletMessage) -> dict[str, object]:
    extend_info = {"platformTemplateCode": message.platform_template_code}
    if message.extend_info is not None:
        extend_info["extendInfo"] = message.extend_info
    return {
        "messageId": message.message_id,
        "customerId": message.customer_id,
        "messageChannel": message.channel,
        "templateCode": message.template_code,
        "messageContent": message.content,
        "redirectUrl": message.redirect_url,
        "extendInfo": extend_info,
    }
