"""Gateways that honour the idempotency keys they know, and the network, where calls wait until the test decides.

A call may be acted upon and its answer lost, long after its sender gave up or died.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import TypeAlias

from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.users import GatewayRoute

UNACCEPTABLE = "bad-"
"""How a customer's id begins whose message has the gateway reject the whole call."""
CURSED = "cursed"
"""How a customer's id begins that kills who sends to it; a digit follows: the first so many times."""
DELIVERED = Answer(AnswerKind.DELIVERED)
REFUSED = Answer(AnswerKind.REFUSED, "USER_NOT_EXIST", "unknown customer")
RETRYABLE = Answer(AnswerKind.RETRYABLE, "BUSY", "try again")
UNANSWERED = Answer(AnswerKind.UNANSWERED, message="no answer")
REJECTED = Answer(AnswerKind.REJECTED, "PARAM_ILLEGAL", "bad call")
THROTTLED = Answer(AnswerKind.THROTTLED, "TOO_MANY", "wait", 1_500)
UNREACHABLE = Answer(AnswerKind.UNREACHABLE, "UNREACHABLE", "refused")


class CallFate(Enum):
    """What becomes of a call to the gateway."""

    ANSWERED = auto()
    ANSWER_LOST = auto()
    """The gateway acts, and its answer is lost."""
    LOST = auto()
    """It never arrives, and nobody can tell."""
    THROTTLED = auto()
    UNREACHABLE = auto()


@dataclass(frozen=True, slots=True)
class GatewayCall:
    """A call on its way. Its sender may be dead, or wait no longer."""

    number: int
    gateway: str
    messages: tuple[WalletMessage, ...]
    """What it sends; of an inquiry: nothing."""
    keys: tuple[str, ...]
    answers: "asyncio.Future[list[Answer | None]]"


class Network:
    """The gateway, and the calls on their way to it."""

    def __init__(self) -> None:
        """Start with nothing shown."""
        self.calls: list[GatewayCall] = []
        self.shown: Counter[tuple[str, str]] = Counter()
        """How often each customer was shown a message, by channel; each customer of the test gets one message."""
        self.curses: Counter[str] = Counter()
        """How often a send to each cursed customer killed its worker."""
        self._sent = 0
        self._verdicts: dict[tuple[str, str], Answer] = {}
        """The final verdict of a gateway under each key: it is given again, and nothing is shown again."""
        self._answered: dict[tuple[str, str], int] = {}
        """Number of the newest call in which a gateway judged a key: what arrives after it is ignored."""

    def take(self, gateway: str, keys: Sequence[str], messages: Sequence[WalletMessage] = ()) -> GatewayCall:
        """Have a call on its way: messages under their keys, or an inquiry for keys."""
        self._sent += 1
        answers: asyncio.Future[list[Answer | None]] = asyncio.get_running_loop().create_future()
        call = GatewayCall(self._sent, gateway, tuple(messages), tuple(keys), answers)
        self.calls.append(call)
        return call

    def kills(self, messages: Sequence[WalletMessage]) -> bool:
        """Whether sending these is the end of whoever does."""
        cursed = {message.customer_id for message in messages if message.customer_id.startswith(CURSED)}
        deadly = [one for one in cursed if self.curses[one] < int(one.removeprefix(CURSED)[0])]
        self.curses.update(deadly)
        return bool(deadly)

    def decide(self, call: GatewayCall, fate: CallFate, dice: Random) -> None:
        """Let a call meet its fate; `dice` says what the gateway thinks of each message."""
        self.calls.remove(call)
        answers = self._answers(call, fate, dice)
        if not call.answers.done():
            call.answers.set_result(list(answers))

    def _answers(self, call: GatewayCall, fate: CallFate, dice: Random) -> Sequence[Answer | None]:
        match fate:
            case CallFate.ANSWERED:
                return self._judge_all(call, dice)
            case CallFate.ANSWER_LOST:
                self._judge_all(call, dice)
                return [UNANSWERED] * len(call.keys)
            case CallFate.LOST:
                return [UNANSWERED] * len(call.keys)
            case CallFate.THROTTLED:
                return [THROTTLED] * len(call.keys)
            case CallFate.UNREACHABLE:
                return [UNREACHABLE] * len(call.keys)

    def _judge_all(self, call: GatewayCall, dice: Random) -> Sequence[Answer | None]:
        if not call.messages:
            return [self._verdicts.get((call.gateway, key)) for key in call.keys]
        if any(message.customer_id.startswith(UNACCEPTABLE) for message in call.messages):
            return [REJECTED] * len(call.messages)
        return [self._judge(message, call, dice) for message in call.messages]

    def _judge(self, message: WalletMessage, call: GatewayCall, dice: Random) -> Answer:
        key = call.gateway, message.message_id
        if call.number < self._answered.get(key, 0):
            return UNANSWERED
        self._answered[key] = call.number
        if key in self._verdicts:
            return self._verdicts[key]
        chance = dice.random()
        if chance < 0.1:
            return RETRYABLE
        if chance < 0.15:
            self._verdicts[key] = REFUSED
            return REFUSED
        self._verdicts[key] = DELIVERED
        self.shown[message.customer_id, message.channel] += 1
        return DELIVERED if chance < 0.9 else UNANSWERED


Sending: TypeAlias = Callable[[Sequence[WalletMessage]], None]


class Sender:
    """Implements `ports.Gateway` for one process."""

    def __init__(self, network: Network, timeout: float, sending: Sending) -> None:
        """Take the longest call in seconds, and who hears of each call before it is on its way."""
        self._network = network
        self._timeout = timeout
        self._sending = sending
        self.cursed = False
        """Whether it sent what its process does not survive."""

    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        """Wait for the test to decide, as long as a real client would."""
        self._sending(messages)
        self.cursed = self._network.kills(messages) or self.cursed
        keys = [message.message_id for message in messages]
        answers = await self._answers(self._network.take(route.name, keys, messages))
        return [answer for answer in answers if answer is not None]

    async def inquire(self, route: GatewayRoute, message_ids: Sequence[str]) -> list[Answer | None]:
        """Wait as `send` does."""
        return await self._answers(self._network.take(route.name, message_ids))

    async def _answers(self, call: GatewayCall) -> list[Answer | None]:
        try:
            async with asyncio.timeout(self._timeout):
                return await call.answers
        except TimeoutError:
            return [UNANSWERED] * len(call.keys)
