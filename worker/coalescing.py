"""Deliveries of one gateway, gathered into calls of up to 20 messages with a bound on calls in flight (R65, R69)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.messages import Channel, Lane
from worker.contract.users import GatewayRoute
from worker.holding import Held
from worker.ports import Clock, Gateway

log = structlog.get_logger(__name__)

Answered = Callable[["Parcel", Answer], None]
Paused = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Parcel:
    """One delivery, ready to go over the wire."""

    held: Held
    channel: Channel
    message: WalletMessage
    call_size: int
    """Most messages of the call that this one may travel in."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds towards one gateway from one process."""

    calls: int = 32
    waiting: int = 4_000
    hold: float = 16.0
    """Seconds from the start of a call for which its messages' leases are renewed: the call's own time and a lease."""


_STUCK = 1.0
"""Seconds without a call's end after which nothing waits here any longer: it would hold slots that others could use."""
_NOT_SENT = Answer(AnswerKind.NOT_SENT)
_BUSY = Answer(AnswerKind.UNREACHABLE, "GATEWAY_BUSY", "too many deliveries wait for this gateway here")


class Coalescer:
    """The way to one gateway. Parcels of any merchant, message and channel share calls."""

    def __init__(self, route: GatewayRoute, gateway: Gateway, clock: Clock, limits: CallLimits) -> None:
        """Make the way; `wire` it before the first parcel."""
        self.route = route
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._waiting: dict[Lane, deque[Parcel]] = {lane: deque() for lane in Lane}
        self._calls: set[asyncio.Task[None]] = set()
        self._paused_until = 0.0
        self._stopped = False
        self._stuck: asyncio.TimerHandle | None = None
        self._answered: Answered
        self._paused: Paused

    def wire(self, answered: Answered, paused: Paused) -> None:
        """Name who hears of each answer, and of a pause in milliseconds that the gateway asked for."""
        self._answered = answered
        self._paused = paused

    def pause(self, milliseconds: int) -> None:
        """Let no call start for so long; a longer pause in force stays."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + milliseconds / 1000)

    def stop(self) -> None:
        """Start no call any more: what waits here, and what still comes, was not sent. Calls in flight go on."""
        self._stopped = True
        self._answer_all(self._taken_back(), _NOT_SENT)

    def put(self, parcels: Sequence[Parcel]) -> None:
        """Take parcels and start as many calls as the bound allows, at once and with what there is."""
        if self._stopped:
            self._answer_all(parcels, _NOT_SENT)
            return
        room = max(0, self._limits.waiting - sum(len(queue) for queue in self._waiting.values()))
        for parcel in parcels[:room]:
            self._waiting[parcel.held.lane].append(parcel)
        self._answer_all(parcels[room:], _BUSY)
        self._start_calls()

    def _start_calls(self) -> None:
        left = self._pause_left()
        if left:
            self._hand_back(self._taken_back(), left)
        while self._queue() and len(self._calls) < self._limits.calls:
            call = asyncio.get_running_loop().create_task(self._call(self._next_call()))
            self._calls.add(call)
            call.add_done_callback(self._call_ended)
        if self._queue() and self._stuck is None:
            self._stuck = asyncio.get_running_loop().call_later(_STUCK, self._stop_waiting)

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

    def _queue(self) -> deque[Parcel] | None:
        """Return the queue that is next: interactive sends go before what batches left here."""
        return next((queue for queue in self._waiting.values() if queue), None)

    def _call_ended(self, call: "asyncio.Task[None]") -> None:
        self._calls.discard(call)
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        self._start_calls()

    def _pause_left(self) -> int:
        """Return the milliseconds until a call may start, 0 when it may."""
        left = self._paused_until - self._clock.monotonic()
        return int(left * 1000) + 1 if left > 0 else 0

    def _hand_back(self, parcels: Iterable[Parcel], milliseconds: int) -> None:
        """Send parcels back to the ledger's due index: it is the place to wait, not our memory."""
        answer = Answer(AnswerKind.THROTTLED, "GATEWAY_PAUSED", "the gateway asked to wait", milliseconds)
        self._answer_all(parcels, answer)

    def _next_call(self) -> list[Parcel]:
        call: list[Parcel] = []
        size = self._limits.waiting
        while (queue := self._queue()) and len(call) < min(size, queue[0].call_size):
            parcel = queue.popleft()
            size = min(size, parcel.call_size)
            call.append(parcel)
        return call

    async def _call(self, parcels: Sequence[Parcel]) -> None:
        sendable = self._sendable(parcels)
        if not sendable:
            return
        answers = await self._ask(sendable)
        if len(sendable) > 1 and answers[0].kind is AnswerKind.REJECTED:
            middle = len(sendable) // 2
            await self._call(sendable[:middle])
            await self._call(sendable[middle:])
        else:
            self._deliver(sendable, answers)

    def _sendable(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Return what may be sent now, and answer what may not: we stop, it is paused, or the lease ran out."""
        if self._stopped:
            self._answer_all(parcels, _NOT_SENT)
            return []
        left = self._pause_left()
        if left:
            self._hand_back(parcels, left)
            return []
        now = self._clock.monotonic()
        for parcel in parcels:
            if parcel.held.deadline <= now:
                self._answered(parcel, _NOT_SENT)
            else:
                parcel.held.renew_until = max(parcel.held.renew_until, now + self._limits.hold)
        return [parcel for parcel in parcels if parcel.held.deadline > now]

    async def _ask(self, parcels: list[Parcel]) -> list[Answer]:
        try:
            return await self._gateway.send(self.route, [parcel.message for parcel in parcels])
        except Exception:
            # Nobody can say what became of the call, and its messages must still be settled.
            log.exception("gateway_call_broke", gateway=self.route.name)
            return [Answer(AnswerKind.UNANSWERED, message="the call broke on our side")] * len(parcels)

    def _deliver(self, parcels: list[Parcel], answers: Sequence[Answer]) -> None:
        wait = max((answer.retry_after or 0 for answer in answers), default=0)
        if wait:
            self.pause(wait)
            self._paused(self.route.name, wait)
        for parcel, answer in zip(parcels, answers, strict=True):
            self._answered(parcel, answer)


class Coalescers:
    """One Coalescer for each gateway."""

    def __init__(self, gateway: Gateway, clock: Clock, limits: CallLimits) -> None:
        """Start with none; they are made as routes are met."""
        self._gateway = gateway
        self._clock = clock
        self._limits = limits
        self._by_route: dict[GatewayRoute, Coalescer] = {}
        self._stopped = False
        self._answered: Answered
        self._paused: Paused

    def wire(self, answered: Answered, paused: Paused) -> None:
        """Name who hears of each answer and each pause; see `Coalescer.wire`."""
        self._answered = answered
        self._paused = paused

    def to(self, route: GatewayRoute) -> Coalescer:
        """Return the way to a gateway."""
        coalescer = self._by_route.get(route)
        if coalescer is None:
            coalescer = self._by_route[route] = Coalescer(route, self._gateway, self._clock, self._limits)
            coalescer.wire(self._answered, self._paused)
            if self._stopped:
                coalescer.stop()
        return coalescer

    def stop(self) -> None:
        """Start no call to any gateway any more; see `Coalescer.stop`."""
        self._stopped = True
        for coalescer in self._by_route.values():
            coalescer.stop()

    def pause(self, gateway: str, milliseconds: int) -> None:
        """Pause every way to the gateway of that name."""
        for coalescer in self._by_route.values():
            if coalescer.route.name == gateway:
                coalescer.pause(milliseconds)
