"""Deliveries of one gateway, gathered into calls of up to 20 messages, no faster than it bears or allows (R65, R69)."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

import structlog

from worker.breaking import Breakers, Trouble
from worker.call_limit import CallBounds, CallLimit
from worker.contract.answers import Answer, AnswerKind
from worker.contract.users import GatewayRoute
from worker.pacing import Pace
from worker.parcels import Line, LineByTurns, Parcel
from worker.ports import Clock, Gateway
from worker.routing import Errand

log = structlog.get_logger(__name__)

Answered = Callable[[Parcel, Answer], None]


_USUAL_BOUNDS = CallBounds()


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds towards one gateway from one process."""

    calls: CallBounds = _USUAL_BOUNDS
    waiting: int = 4_000
    in_flight: int = 1_000
    """Deliveries in calls in flight: they hold slots, of which a gateway that hangs must leave enough to the others."""
    hold: float = 16.0
    """Seconds from the start of a call for which its messages' leases are renewed: the call's own time and a lease."""


BREAKER_OPEN = "BREAKER_OPEN"
"""Code of a delivery that was handed back because its gateway's breaker is open."""
GATEWAY_RATE = "GATEWAY_RATE"
"""Code of one that was handed back because it is beyond the send rate that the wallet sets."""
_STUCK = 1.0
"""Seconds without a call's end after which nothing waits here any longer: it would hold slots that others could use."""
_LOOKS = 4
"""How often it is looked in these seconds: a timer that each call set anew cost 2 % of what a worker does."""
_NOT_SENT = Answer(AnswerKind.NOT_SENT)
_BUSY = Answer(AnswerKind.UNREACHABLE, "GATEWAY_BUSY", "too many deliveries wait for this gateway here")


class Coalescer:
    """The way to one gateway. Parcels of any merchant, message and channel share calls."""

    def __init__(
        self,
        route: GatewayRoute,
        gateway: Gateway,
        breakers: Breakers,
        pace: Pace | None,
        clock: Clock,
        limits: CallLimits,
    ) -> None:
        """Make the way; `wire` it before the first parcel. `pace` is that of the gateway's send rate, if it has one."""
        self.route = route
        self._gateway = gateway
        self._breakers = breakers
        self._breaker = breakers.of(route.name)
        self._pace = pace
        self._clock = clock
        self._limits = limits
        self._limit = CallLimit(route.name, limits.calls)
        self._waiting = LineByTurns(min(limits.in_flight, pace.keeps_ready)) if pace else Line(limits.waiting)
        self._calls: dict[asyncio.Task[None], int] = {}
        self.in_calls = 0
        """Deliveries that are in calls now."""
        self._asking: asyncio.Task[None] | None = None
        """Waits for the right to probe, or for a turn."""
        self._stopped = False
        self._stuck: asyncio.TimerHandle | None = None
        """Looks whether calls still end, while parcels wait."""
        self._silent_looks = 0
        self._starting: asyncio.Handle | None = None
        self._answered: Answered

    def wire(self, answered: Answered) -> None:
        """Name who hears of each answer."""
        self._answered = answered

    def stop(self) -> None:
        """Start no call any more: what waits here, and what still comes, was not sent. Calls in flight go on."""
        self._stopped = True
        self._answer_all(self._waiting.take_all(), _NOT_SENT)

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels; as many calls as the bounds allow start with what is put in this turn of the loop."""
        if self._stopped:
            self._answer_all(parcels, _NOT_SENT)
            return
        beyond = self._waiting.put(parcels)
        if beyond and self._pace:
            self._hand_back_paced(self._pace, beyond)
        else:
            self._answer_all(beyond, _BUSY)
        if self._starting is None:
            self._starting = asyncio.get_running_loop().call_soon(self._start_soon)

    def _start_soon(self) -> None:
        self._starting = None
        self._start_calls()

    def _start_calls(self) -> None:
        if self._breaker.is_open:
            self._hand_back(self._waiting.take_all())
        elif not self._breaker.is_closed:
            if not self._breaker.probing:
                self._ask(self._probe)
        elif self._pace is None:
            self._start_some(len(self._waiting))
        elif self._may_start():
            self._ask(partial(self._send_in_turn, self._pace))
        if self._waiting and self._asking is None and self._stuck is None:
            self._silent_looks = 0
            self._look_later()

    def _start_some(self, most: int) -> None:
        """Start calls with at most so many messages in all."""
        while most and self._waiting and self._may_start():
            call = self._waiting.next_call(most)
            most -= len(call)
            self._start(call)

    def _may_start(self) -> bool:
        return len(self._calls) < self._limit.calls and self.in_calls < self._limits.in_flight

    def _start(self, parcels: Sequence[Parcel]) -> None:
        call = asyncio.get_running_loop().create_task(self._call(parcels))
        self._calls[call] = len(parcels)
        self.in_calls += len(parcels)
        call.add_done_callback(self._call_ended)

    def _ask(self, step: Callable[[], Coroutine[None, None, None]]) -> None:
        if self._waiting and self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(step())

    async def _probe(self) -> None:
        """Send one delivery alone, if nobody else asks the gateway whether it is back; the others wait for that."""
        may = await self._breakers.may_probe(self.route.name)
        if may and self._pace:
            may = bool(await self._pace.turn(1, self._waiting.first_lane))
        self._asking = None
        if may and self._waiting:
            self._start(self._waiting.next_call(1))
        else:
            self._start_calls()

    async def _send_in_turn(self, pace: Pace) -> None:
        """Send what the next turn allows; where there is none soon, what waits may wait elsewhere as well."""
        fitting = self._waiting.fitting(self._limit.calls - len(self._calls), pace.size)
        messages = await pace.turn(fitting, self._waiting.first_lane) if fitting else 0
        self._asking = None
        if not fitting:  # since it was to be asked, what waited was taken back, or calls began: their ends start more
            return
        if not messages:
            self._hand_back_paced(pace, self._waiting.take_all())
        elif self._breaker.is_closed:
            self._start_some(messages)
        self._start_calls()

    def _look_later(self) -> None:
        self._stuck = asyncio.get_running_loop().call_later(_STUCK / _LOOKS, self._look)

    def _look(self) -> None:
        """Give what waits back to the ledger once no call ended: a gateway that answers nobody must not stop others."""
        self._stuck = None
        self._silent_looks += 1
        if self._silent_looks > _LOOKS:
            self._answer_all(self._waiting.take_all(), _BUSY)
        elif self._waiting:
            self._look_later()

    def _answer_all(self, parcels: Iterable[Parcel], answer: Answer) -> None:
        for parcel in parcels:
            self._answered(parcel, answer)

    def _call_ended(self, call: "asyncio.Task[None]") -> None:
        self.in_calls -= self._calls.pop(call)
        self._silent_looks = 0
        self._start_calls()

    def _hand_back(self, parcels: Iterable[Parcel]) -> None:
        """Send parcels back to the ledger's due index: it is the place to wait, not our memory."""
        text = "the gateway fails or asked to wait: its breaker is open"
        for parcel in parcels:
            wait = self._breaker.wait_of_one_more()
            self._answered(parcel, Answer(AnswerKind.THROTTLED, BREAKER_OPEN, text, wait))

    def _hand_back_paced(self, pace: Pace, parcels: Iterable[Parcel]) -> None:
        text = f"beyond the {self.route.rate} messages a second that the wallet lets through"
        for parcel in parcels:
            self._answered(
                parcel, Answer(AnswerKind.PACED, GATEWAY_RATE, text, pace.wait_of_one_more(parcel.held.claim.app_id))
            )

    async def _call(self, parcels: Sequence[Parcel]) -> None:
        sendable = self._sendable(parcels)
        if not sendable:
            return
        begun = self._clock.monotonic()
        answers = await self._answers(sendable)
        self._learn_limit(begun, self._breakers.call_ended(self.route.name, begun, answers))
        if len(sendable) > 1 and answers[0] is not None and answers[0].kind is AnswerKind.REJECTED:
            middle = len(sendable) // 2
            await self._call_half(sendable[:middle])
            await self._call_half(sendable[middle:])
        else:
            self._pass_on(sendable, answers)

    async def _call_half(self, parcels: Sequence[Parcel]) -> None:
        """Call again with a half of what was rejected; each message takes part in the send rate anew."""
        if self._pace is None:
            await self._call(parcels)
            return
        left = list(parcels)
        while left:
            messages = await self._pace.turn(len(left), left[0].held.lane)
            if not messages:
                self._hand_back_paced(self._pace, left)
                return
            await self._call(left[:messages])
            del left[:messages]

    def _learn_limit(self, begun: float, trouble: Trouble | None) -> None:
        now = self._clock.monotonic()
        if trouble is None:
            self._limit.answered(begun, now, len(self._calls))
        elif trouble.asked is None:
            self._limit.failed(begun, now)
        else:
            self._limit.throttled(begun, now)

    def _pass_on(self, parcels: Sequence[Parcel], answers: Sequence[Answer | None]) -> None:
        absent = []
        for parcel, answer in zip(parcels, answers, strict=True):
            if answer is None:
                absent.append(replace(parcel, errand=Errand.SEND))
            else:
                self._answered(parcel, answer)
        if absent:
            self.put(absent)

    def _sendable(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Return what may be sent now; answer what may not: we stop, the breaker opened, its lease or time ran out."""
        if self._stopped:
            self._answer_all(parcels, _NOT_SENT)
            return []
        if self._breaker.is_open:
            self._hand_back(parcels)
            return []
        now = self._clock.monotonic()
        sendable = []
        for parcel in parcels:
            if parcel.may_go(now):
                parcel.held.renew_until = max(parcel.held.renew_until, now + self._limits.hold)
                sendable.append(parcel)
            else:
                self._answered(parcel, _NOT_SENT)
        return sendable

    async def _answers(self, parcels: Sequence[Parcel]) -> Sequence[Answer | None]:
        messages = [parcel.message for parcel in parcels]
        try:
            match parcels[0].errand:
                case Errand.SEND:
                    return await self._gateway.send(self.route, messages)
                case Errand.INQUIRE:
                    return await self._gateway.inquire(self.route, [message.message_id for message in messages])
                case _:
                    assert_never(parcels[0].errand)
        except Exception:
            # Nobody can say what became of the call, and its messages must still be settled.
            log.exception("gateway_call_broke", gateway=self.route.name)
            return [Answer(AnswerKind.UNANSWERED, message="the call broke on our side")] * len(parcels)
