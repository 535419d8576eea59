"""Deliveries of one gateway, gathered into calls of up to 20 messages with a bound on calls in flight (R65, R69)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

import structlog

from worker.breaking import Breakers
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.gateways import BreakerState
from worker.contract.messages import Channel, Lane
from worker.contract.users import GatewayRoute
from worker.holding import Held
from worker.ports import Clock, Gateway
from worker.routing import Errand

log = structlog.get_logger(__name__)

Answered = Callable[["Parcel", Answer], None]


CALL_SIZE = 20
"""Most messages of any call (R65)."""


class Parcel(NamedTuple):
    """One delivery, ready to go over the wire."""

    held: Held
    channel: Channel
    message: WalletMessage
    call_size: int
    """Most messages of the call that this one may be sent in."""
    errand: Errand = Errand.SEND
    fallbacks: tuple[str, ...] = ()
    """Names of the other gateways that may have it instead."""

    @property
    def travels_with(self) -> int:
        """Most messages of its next call."""
        return self.call_size if self.errand is Errand.SEND else CALL_SIZE


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds towards one gateway from one process."""

    calls: int = 32
    waiting: int = 4_000
    hold: float = 16.0
    """Seconds from the start of a call for which its messages' leases are renewed: the call's own time and a lease."""


BREAKER_OPEN = "BREAKER_OPEN"
"""Code of a delivery that was handed back because its gateway's breaker is open."""
_STUCK = 1.0
"""Seconds without a call's end after which nothing waits here any longer: it would hold slots that others could use."""
_NOT_SENT = Answer(AnswerKind.NOT_SENT)
_BUSY = Answer(AnswerKind.UNREACHABLE, "GATEWAY_BUSY", "too many deliveries wait for this gateway here")


class Coalescer:
    """The way to one gateway. Parcels of any merchant, message and channel share calls."""

    def __init__(
        self, route: GatewayRoute, gateway: Gateway, breakers: Breakers, clock: Clock, limits: CallLimits
    ) -> None:
        """Make the way; `wire` it before the first parcel."""
        self.route = route
        self._gateway = gateway
        self._breakers = breakers
        self._breaker = breakers.of(route.name)
        self._clock = clock
        self._limits = limits
        self._waiting: dict[Lane, deque[Parcel]] = {lane: deque() for lane in Lane}
        self._calls: dict[asyncio.Task[None], int] = {}
        self.in_calls = 0
        """Deliveries that are in calls now."""
        self._asking: asyncio.Task[None] | None = None
        self._stopped = False
        self._stuck: asyncio.TimerHandle | None = None
        self._starting: asyncio.Handle | None = None
        self._answered: Answered

    def wire(self, answered: Answered) -> None:
        """Name who hears of each answer."""
        self._answered = answered

    def stop(self) -> None:
        """Start no call any more: what waits here, and what still comes, was not sent. Calls in flight go on."""
        self._stopped = True
        self._answer_all(self._taken_back(), _NOT_SENT)

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels; as many calls as the bound allows start with what is put in this turn of the loop."""
        if self._stopped:
            self._answer_all(parcels, _NOT_SENT)
            return
        room = max(0, self._limits.waiting - sum(len(queue) for queue in self._waiting.values()))
        for parcel in parcels[:room]:
            self._waiting[parcel.held.lane].append(parcel)
        self._answer_all(parcels[room:], _BUSY)
        if self._starting is None:
            self._starting = asyncio.get_running_loop().call_soon(self._start_soon)

    def _start_soon(self) -> None:
        self._starting = None
        self._start_calls()

    def _start_calls(self) -> None:
        match self._breaker.state:
            case BreakerState.OPEN:
                self._hand_back(self._taken_back())
            case BreakerState.HALF_OPEN:
                self._ask_to_probe()
            case BreakerState.CLOSED:
                while self._anything_waits() and len(self._calls) < self._limits.calls:
                    self._start(self._next_call(self._limits.waiting))
            case _:
                assert_never(self._breaker.state)
        if self._anything_waits() and self._stuck is None:
            self._stuck = asyncio.get_running_loop().call_later(_STUCK, self._stop_waiting)

    def _start(self, parcels: Sequence[Parcel]) -> None:
        call = asyncio.get_running_loop().create_task(self._call(parcels))
        self._calls[call] = len(parcels)
        self.in_calls += len(parcels)
        call.add_done_callback(self._call_ended)

    def _ask_to_probe(self) -> None:
        if self._anything_waits() and not self._breaker.probing and self._asking is None:
            self._asking = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        """Send one delivery alone, if nobody else asks the gateway whether it is back; the others wait for that."""
        may = await self._breakers.may_probe(self.route.name)
        self._asking = None
        if may and self._anything_waits():
            self._start(self._next_call(1))
        else:
            self._start_calls()

    def _stop_waiting(self) -> None:
        """Give what waits back to the ledger: a gateway that answers nobody must not stop the others."""
        self._stuck = None
        self._answer_all(self._taken_back(), _BUSY)

    def _answer_all(self, parcels: Iterable[Parcel], answer: Answer) -> None:
        for parcel in parcels:
            self._answered(parcel, answer)

    def _taken_back(self) -> list[Parcel]:
        parcels = [parcel for queue in self._waiting.values() for parcel in queue]
        for queue in self._waiting.values():
            queue.clear()
        return parcels

    def _anything_waits(self) -> bool:
        return any(self._waiting.values())

    def _call_ended(self, call: "asyncio.Task[None]") -> None:
        self.in_calls -= self._calls.pop(call)
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self._start_calls()

    def _hand_back(self, parcels: Iterable[Parcel]) -> None:
        """Send parcels back to the ledger's due index: it is the place to wait, not our memory."""
        text = "the gateway fails or asked to wait: its breaker is open"
        for parcel in parcels:
            wait = self._breaker.wait_of_one_more()
            self._answered(parcel, Answer(AnswerKind.THROTTLED, BREAKER_OPEN, text, wait))

    def _next_call(self, size: int) -> list[Parcel]:
        """Take what may travel together, at most `size`: interactive sends before what batches left here."""
        call: list[Parcel] = []
        for queue in self._waiting.values():
            while queue:
                parcel = queue[0]
                size = min(size, parcel.travels_with)
                if len(call) >= size or (call and call[0].errand is not parcel.errand):
                    return call
                call.append(queue.popleft())
        return call

    async def _call(self, parcels: Sequence[Parcel]) -> None:
        sendable = self._sendable(parcels)
        if not sendable:
            return
        begun = self._clock.monotonic()
        answers = await self._ask(sendable)
        self._breakers.call_ended(self.route.name, begun, answers)
        if len(sendable) > 1 and answers[0] is not None and answers[0].kind is AnswerKind.REJECTED:
            middle = len(sendable) // 2
            await self._call(sendable[:middle])
            await self._call(sendable[middle:])
        else:
            self._pass_on(sendable, answers)

    def _pass_on(self, parcels: Sequence[Parcel], answers: Sequence[Answer | None]) -> None:
        absent = []
        for parcel, answer in zip(parcels, answers, strict=True):
            if answer is None:
                absent.append(parcel._replace(errand=Errand.SEND))
            else:
                self._answered(parcel, answer)
        self.put(absent)

    def _sendable(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Return what may be sent now, and answer what may not: we stop, the breaker opened, or the lease ran out."""
        if self._stopped:
            self._answer_all(parcels, _NOT_SENT)
            return []
        if self._breaker.state is BreakerState.OPEN:
            self._hand_back(parcels)
            return []
        now = self._clock.monotonic()
        for parcel in parcels:
            if parcel.held.deadline <= now:
                self._answered(parcel, _NOT_SENT)
            else:
                parcel.held.renew_until = max(parcel.held.renew_until, now + self._limits.hold)
        return [parcel for parcel in parcels if parcel.held.deadline > now]

    async def _ask(self, parcels: Sequence[Parcel]) -> Sequence[Answer | None]:
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


class Coalescers:
    """One Coalescer for each gateway."""

    def __init__(self, gateway: Gateway, breakers: Breakers, clock: Clock, limits: CallLimits) -> None:
        """Start with none; they are made as routes are met."""
        self._gateway = gateway
        self._breakers = breakers
        self._clock = clock
        self._limits = limits
        self._by_route: dict[GatewayRoute, Coalescer] = {}
        self._stopped = False
        self._answered: Answered

    def wire(self, answered: Answered) -> None:
        """Name who hears of each answer."""
        self._answered = answered

    def to(self, route: GatewayRoute) -> Coalescer:
        """Return the way to a gateway."""
        coalescer = self._by_route.get(route)
        if coalescer is None:
            coalescer = Coalescer(route, self._gateway, self._breakers, self._clock, self._limits)
            self._by_route[route] = coalescer
            coalescer.wire(self._answered)
            if self._stopped:
                coalescer.stop()
        return coalescer

    def in_calls(self) -> int:
        """Return how many deliveries are in calls now."""
        return sum(coalescer.in_calls for coalescer in self._by_route.values())

    def stop(self) -> None:
        """Start no call to any gateway any more; see `Coalescer.stop`."""
        self._stopped = True
        for coalescer in self._by_route.values():
            coalescer.stop()
