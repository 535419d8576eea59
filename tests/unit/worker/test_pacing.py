"""The send rate of a gateway, kept by several processes together (virtual time)."""

import asyncio
import heapq
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from random import Random

import pytest
from typing_extensions import override

from tests.crashes.virtual_loop import VirtualLoop
from tests.fakes.breakers import FakeBreakers
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.turns import FakeTurns
from tests.samples import PUSH, held, wallet_message
from worker.breaking import BreakerLimits, Breakers
from worker.call_limit import CallBounds
from worker.coalescing import GATEWAY_RATE, CallLimits, Coalescer
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.messages import Lane
from worker.contract.users import GatewayRoute
from worker.pacing import LONGEST_LOOK_AWAY, Pace, Paces
from worker.parcels import Parcel

DELIVERED = Answer(AnswerKind.DELIVERED)
REJECTED = Answer(AnswerKind.REJECTED, "PARAM_ILLEGAL", "some message is at fault")


class SlowGateway(FakeGateway):
    """Answers after a while, and notes when which message came."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds
        self.journal: list[tuple[float, str]] = []

    @override
    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        self.journal += [(self._clock.monotonic(), message.message_id) for message in messages]
        await asyncio.sleep(self._seconds)
        return await super().send(route, messages)

    def most_within(self, seconds: float) -> int:
        """Return the most messages of any span of time."""
        times = [at for at, _ in self.journal]
        most = first = 0
        for last, at in enumerate(times):
            while times[first] < at - seconds + 1e-9:
                first += 1
            most = max(most, last - first + 1)
        return most


class Fleet:
    """Worker processes before one gateway. What they hand back comes again as a sweep would bring it."""

    def __init__(self, rate: int, processes: int, latency: float, limits: CallLimits) -> None:
        self.clock = FakeClock()
        self.loop = VirtualLoop(self.clock)
        self.gateway = SlowGateway(self.clock, latency)
        self.turns = FakeTurns(self.clock)
        self.handed_back: list[Answer] = []
        self.delivered: set[str] = set()
        self._later: list[tuple[float, int, Parcel]] = []
        self._number = count()
        self._draw = Random(1)
        self.route = GatewayRoute("gcash", "http://wallet.test", rate=rate)
        self.breakers = Breakers(FakeBreakers(), self.clock, BreakerLimits())
        paces = Paces(self.turns, self.clock, self._draw.random)
        self.ways = [
            Coalescer(self.route, self.gateway, self.breakers, paces.of(self.route), self.clock, limits)
            for _ in range(processes)
        ]
        for way in self.ways:
            way.wire(self._hear)

    def _hear(self, parcel: Parcel, answer: Answer) -> None:
        if answer.kind is AnswerKind.DELIVERED:
            assert parcel.message.message_id not in self.delivered
            self.delivered.add(parcel.message.message_id)
            return
        assert (answer.kind, answer.code, answer.retry_after is None) == (AnswerKind.PACED, GATEWAY_RATE, False)
        self.handed_back.append(answer)
        at = self.clock.monotonic() + (answer.retry_after or 0) / 1000
        heapq.heappush(self._later, (at, next(self._number), parcel))

    def put(self, number: int, name: str = "m", lane: Lane = Lane.BULK) -> None:
        """Bring messages of a merchant that is called as they are, spread over the processes in chunks."""
        one = held("one", math.inf, app_id=name)
        one.lane = lane
        parcels = [Parcel(one, PUSH, wallet_message(f"{name}{place}"), 20) for place in range(number)]
        for place, start in enumerate(range(0, number, 200)):
            self._put(self.ways[place % len(self.ways)], parcels[start : start + 200])

    def _put(self, way: Coalescer, parcels: list[Parcel]) -> None:
        self.loop.call_soon(way.put, parcels)
        self.loop.run_until_idle()

    def run(self, seconds: float, step: int = 5) -> None:
        """Let time pass, with a sweep of a random process every half second."""
        until = self.clock.monotonic() + seconds
        while self.clock.monotonic() < until:
            self.clock.advance(step)
            self.loop.run_until_idle()
            if self.clock.now() % 500 == 0:
                due = []
                while self._later and self._later[0][0] <= self.clock.monotonic():
                    due.append(heapq.heappop(self._later)[2])
                self._put(self._draw.choice(self.ways), due)


@contextmanager
def fleet(rate: int, processes: int = 2, latency: float = 0.05, limits: CallLimits | None = None) -> Iterator[Fleet]:
    found = Fleet(rate, processes, latency, limits or CallLimits())
    try:
        yield found
    finally:
        found.loop.bury()


@pytest.mark.parametrize(("rate", "processes"), [(1, 2), (5, 2), (100, 1), (100, 2), (100, 8), (500, 3)])
def test_no_window_has_more_than_the_rate_and_a_turn_and_little_is_left_idle(rate: int, processes: int) -> None:
    seconds = 20
    with fleet(rate, processes) as found:
        found.put(rate * seconds * 2)
        found.run(seconds)

        turn = max(1, rate // 10)
        for window in (0.1, 1.0, 5.0):
            assert found.gateway.most_within(window) <= rate * window + turn
        assert len(found.gateway.journal) >= 0.9 * rate * seconds


@pytest.mark.parametrize(("rate", "processes"), [(100, 1), (100, 2), (100, 8)])
def test_fewer_deliveries_look_in_vain_than_are_sent(rate: int, processes: int) -> None:
    with fleet(rate, processes) as found:
        found.put(rate * 30)
        found.run(5)
        sent, in_vain = len(found.gateway.journal), len(found.handed_back)
        found.run(15)

        assert len(found.handed_back) - in_vain < len(found.gateway.journal) - sent


def test_messages_within_the_rate_go_out_at_once() -> None:
    with fleet(100) as found:
        for second in range(5):
            found.put(10, f"{second}-")
            assert len(found.gateway.journal) == 10 * (second + 1)
            found.run(1)

    assert not found.handed_back


def test_what_exceeds_waits_in_the_ledger_and_not_here() -> None:
    with fleet(100, processes=1) as found:
        found.put(10_000)

        assert len(found.handed_back) >= 10_000 - 160
        waits = [answer.retry_after or 0 for answer in found.handed_back]
        assert max(waits) <= LONGEST_LOOK_AWAY * 1_000
        # They look again about as fast as the gateway takes them, and not all at once at the end.
        for second in range(1, 59):
            assert 90 <= sum(second * 1_000 <= wait < (second + 1) * 1_000 for wait in waits) <= 600


def test_interactive_sends_go_before_what_batches_left_though_that_came_first() -> None:
    with fleet(100) as found:
        found.put(5_000)
        found.run(5)
        found.put(30, "single", Lane.SINGLE)
        found.run(1.5)

        assert {f"single{place}" for place in range(30)} <= found.delivered


def test_a_merchant_has_its_share_though_another_sent_thousands_before() -> None:
    with fleet(100) as found:
        found.put(5_000, "first")
        found.run(5)
        found.put(200, "second")
        found.run(5)

        assert sum(name.startswith("second") for name in found.delivered) >= 170


def test_the_halves_of_a_rejected_call_take_part_in_the_rate() -> None:
    with fleet(200, processes=1) as found:
        found.gateway.answer_calls("gcash", *[REJECTED] * 5)
        found.put(200)
        found.run(4)

        assert len(found.delivered) == 200
        assert len(found.gateway.journal) > 200
        assert found.gateway.most_within(1.0) <= 200 + 20


def test_a_gateway_that_is_slow_is_not_asked_for_turns_that_nobody_can_use() -> None:
    """Else a process whose calls hang would take the turns of the others."""
    with fleet(100, processes=1, latency=30.0, limits=CallLimits(CallBounds(2))) as found:
        begun = found.clock.now()
        found.put(200)
        found.run(10)

        assert len(found.gateway.journal) == 20
        assert found.turns.begins("gcash") == begun + 200


def alone(turns: FakeTurns, clock: FakeClock, rate: int = 100) -> Pace:
    return Pace("gcash", rate, turns, clock, lambda: 0.5)


def test_without_the_store_nothing_is_sent() -> None:
    clock = FakeClock()
    turns = FakeTurns(clock)
    turns.away = True

    assert asyncio.run(alone(turns, clock).turn(10, Lane.BULK)) == 0


@pytest.mark.parametrize(
    ("lane", "ahead", "messages"), [(Lane.BULK, 100, 10), (Lane.BULK, 101, 0), (Lane.SINGLE, 200, 10)]
)
def test_what_batches_left_gives_up_sooner_than_interactive_sends(lane: Lane, ahead: int, messages: int) -> None:
    """So many messages of others are ahead, at 100 a second; nobody sleeps here, as the loop's time is virtual."""
    clock = FakeClock()
    turns = FakeTurns(clock)
    loop = VirtualLoop(clock)
    loop.run_until_complete(turns.reserve("gcash", 100, ahead, 0))
    task = loop.create_task(alone(turns, clock).turn(50, lane))
    for _ in range(300):
        loop.run_until_idle()
        clock.advance(10)
    loop.run_until_idle()
    assert task.result() == messages
    loop.close()


def test_who_gets_few_turns_looks_less_often() -> None:
    def looks(share: int) -> int:
        clock = FakeClock()
        turns, loop = FakeTurns(clock), VirtualLoop(clock)
        pace = alone(turns, clock)
        for _ in range(30):
            for _other in range(share - 1):
                loop.run_until_complete(turns.reserve("gcash", 100, 10, 100_000))
            task = loop.create_task(pace.turn(10, Lane.SINGLE))
            loop.run_until_idle()
            clock.advance(100 * share)
            loop.run_until_idle()
            assert task.result() == 10
        loop.close()
        waits = [pace.wait_of_one_more("shop") for _ in range(100)]
        return waits[-1] - waits[0]

    assert looks(4) == pytest.approx(4 * looks(1), rel=0.1)


def test_a_gateway_without_a_rate_has_no_pace() -> None:
    clock = FakeClock()
    assert Paces(FakeTurns(clock), clock, Random().random).of(GatewayRoute("gcash", "http://wallet.test")) is None
