"""A wallet that says what the test scripted."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.users import GatewayRoute

DELIVERED = Answer(AnswerKind.DELIVERED)


@dataclass(frozen=True, slots=True)
class SentCall:
    """One call as the gateway saw it."""

    route: GatewayRoute
    messages: tuple[WalletMessage, ...]

    @property
    def message_ids(self) -> list[str]:
        """The wallet's message ids of the call, in order."""
        return [message.message_id for message in self.messages]


class FakeGateway:
    """Implements `ports.Gateway`: delivers everything unless a script says otherwise, and records each call."""

    def __init__(self) -> None:
        """Start without scripts and without calls."""
        self.calls: list[SentCall] = []
        self.inquiries: list[list[str]] = []
        """The wallet's message ids of each inquiry."""
        self.inquiry_answers: list[list[Answer | None]] = []
        """What the next inquiries are answered; then: that the gateway has nothing of what it is asked for."""
        self._of_messages: dict[str, deque[Answer]] = defaultdict(deque)
        self._of_routes: dict[str, deque[Answer]] = defaultdict(deque)
        self._broken: dict[str, Exception] = {}
        self._hanging: dict[str, asyncio.Event] = {}

    def answer(self, message_id: str, *answers: Answer) -> None:
        """Answer the next sends of one message so, one answer each; `message_id` is the wallet's (`delivery_key`)."""
        self._of_messages[message_id].extend(answers)

    def answer_calls(self, route: str, *answers: Answer) -> None:
        """Answer every message of the next calls of a gateway so, one answer each call."""
        self._of_routes[route].extend(answers)

    def break_calls(self, route: str, error: Exception) -> None:
        """Raise in every call of a gateway from now on, as no gateway should."""
        self._broken[route] = error

    def hang(self, route: str) -> asyncio.Event:
        """Answer no call of a gateway before the returned event is set."""
        self._hanging[route] = asyncio.Event()
        return self._hanging[route]

    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        """Record the call and play its script."""
        self.calls.append(SentCall(route, tuple(messages)))
        if route.name in self._hanging:
            await self._hanging[route.name].wait()
        if route.name in self._broken:
            raise self._broken[route.name]
        whole = self._of_routes[route.name]
        if whole:
            return [whole.popleft()] * len(messages)
        return list(self._answers(messages))

    def _answers(self, messages: Iterable[WalletMessage]) -> Iterable[Answer]:
        for message in messages:
            scripted = self._of_messages[message.message_id]
            yield scripted.popleft() if scripted else DELIVERED

    async def inquire(self, route: GatewayRoute, message_ids: Sequence[str]) -> list[Answer | None]:
        """Record the inquiry and play its script."""
        assert route.inquiry, "asked though it offers no inquiry"
        self.inquiries.append(list(message_ids))
        return self.inquiry_answers.pop(0) if self.inquiry_answers else [None] * len(message_ids)
