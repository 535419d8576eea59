import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from tests.back_office import a_moment, notices, until
from tests.fakes.breakers import FakeBreakers
from tests.fakes.clock import FakeClock
from tests.fakes.hints import FakeHints
from tests.fakes.ledger import FakeLedger
from tests.fakes.origins import FakeUpkeep
from tests.fakes.outage import Outage
from tests.ledger_driver import DAY, final, ids
from worker.adapters.redis.limits import LedgerLimits
from worker.breaking import BreakerLimits, Breakers
from worker.contract.gateways import OpenedBreaker
from worker.contract.messages import Hint, Lane, NewMessage
from worker.sweeping import Sweeper

LIMITS = LedgerLimits(window_bulk=3, grace=3_000, retention=DAY)


class Stand:
    """A sweeper and what it looks after."""

    def __init__(self, store: FakeBreakers | None = None, interval: int = 10, draw: float = 0.5) -> None:
        self.ledger = FakeLedger(LIMITS, shards=1)
        self.hints = FakeHints()
        self.store = store or FakeBreakers()
        self.breakers = Breakers(self.store, FakeClock(), BreakerLimits())
        self.sweeper = Sweeper(
            ledger=self.ledger,
            upkeep=[FakeUpkeep(self.ledger)],
            hints=self.hints,
            breakers=self.breakers,
            interval=interval,
            draw=lambda: draw,
        )

    async def accept(self, number: int) -> list[NewMessage]:
        messages = notices(number)
        await self.ledger.accept("shop", Lane.BULK, messages)
        return messages

    async def finish(self, message: NewMessage) -> None:
        (claim,) = await self.ledger.claim(0, [message.message_id], "c1")
        await self.ledger.settle([final(claim)])


def run(play: Callable[[Stand], Awaitable[None]], stand: Stand | None = None) -> Stand:
    async def main() -> Stand:
        found = stand or Stand()
        await play(found)
        return found

    return asyncio.run(main())


async def one_round(stand: Stand) -> None:
    """Run the service until it sleeps for the first time."""
    service = asyncio.create_task(stand.sweeper.run())
    await a_moment()
    service.cancel()
    await asyncio.gather(service, return_exceptions=True)


def test_a_round_hints_what_is_overdue_and_nothing_else() -> None:
    async def play(stand: Stand) -> None:
        messages = await stand.accept(3)
        await one_round(stand)
        assert stand.hints.published == []
        stand.ledger.now += LIMITS.grace
        await one_round(stand)
        assert stand.hints.published == [Hint(Lane.BULK, 0, tuple(sorted(ids(messages))))]

    run(play)


def test_a_round_releases_backlogs() -> None:
    async def play(stand: Stand) -> None:
        first, *_, waiting = await stand.accept(4)
        await stand.finish(first)
        await one_round(stand)
        assert stand.hints.published == [Hint(Lane.BULK, 0, (waiting.message_id,))]

    run(play)


def test_a_round_forgets_what_is_past_its_retention_and_says_how_many() -> None:
    async def play(stand: Stand) -> None:
        old, kept = await stand.accept(2)
        await stand.finish(old)
        stand.ledger.now += DAY
        await one_round(stand)
        assert list(stand.ledger.records) == [kept.message_id]

    with capture_logs() as logs:
        run(play)

    assert logs == [{"event": "forgotten", "messages": 1, "log_level": "info"}]


class Refused(Outage):
    """Upkeep that needs memory which a full store has not."""

    away = True

    async def look_after(self) -> list[Hint]:
        self.answer()
        return []


def test_upkeep_that_a_full_store_refuses_keeps_nothing_else_from_being_done() -> None:
    async def play(stand: Stand) -> None:
        stand.sweeper = Sweeper(
            ledger=stand.ledger,
            upkeep=[Refused(), FakeUpkeep(stand.ledger)],
            hints=stand.hints,
            breakers=stand.breakers,
            interval=10,
            draw=lambda: 0.5,
        )
        old, *_, waiting = await stand.accept(4)
        await stand.finish(old)
        stand.ledger.now += DAY
        await one_round(stand)
        assert old.message_id not in stand.ledger.records
        assert waiting.message_id in stand.hints.message_ids

    with capture_logs() as logs:
        run(play)

    assert [entry["event"] for entry in logs] == ["forgotten", "ledger_unavailable"]


def test_R69_a_round_learns_which_gateways_other_workers_found_failing() -> None:
    async def play(stand: Stand) -> None:
        await stand.store.open("gcash", "HTTP_429", 7_000)
        await one_round(stand)
        assert stand.breakers.of("gcash").wait == 7_000
        assert stand.breakers.of("tng").wait == 0

    run(play)


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 0.75), (0.5, 1.0), (0.99, 1.245)])
def test_rounds_are_spread_around_their_interval(
    monkeypatch: pytest.MonkeyPatch,
    draw: float,
    seconds: float,
) -> None:
    slept: list[float] = []
    stand = Stand(interval=1_000, draw=draw)

    async def sleep(duration: float) -> None:
        slept.append(duration)
        stand.sweeper.stop()

    monkeypatch.setattr("worker.sweeping.asyncio.sleep", sleep)
    run(lambda stand: stand.sweeper.run(), stand)

    assert slept == [pytest.approx(seconds)]


def test_rounds_go_on_until_they_are_stopped() -> None:
    rounds = 0

    class Counting(FakeBreakers):
        @override
        async def opened(self) -> Mapping[str, OpenedBreaker]:
            nonlocal rounds
            rounds += 1
            return {}

    async def play(stand: Stand) -> None:
        service = asyncio.create_task(stand.sweeper.run())
        await until(lambda: rounds >= 3)
        stand.sweeper.stop()
        await asyncio.wait_for(service, 5)

    run(play, Stand(Counting(), interval=1))

    assert rounds >= 3


def test_a_ledger_that_goes_away_and_comes_back_is_told_once_each_time() -> None:
    async def play(stand: Stand) -> None:
        for away in (True, True, True, False, False, True):
            stand.ledger.away = away
            await one_round(stand)

    with capture_logs() as logs:
        run(play)

    assert [entry["event"] for entry in logs] == ["ledger_unavailable", "ledger_available_again", "ledger_unavailable"]
    assert logs[0]["reason"] == "the fake ledger is away; set `away` to False"


def test_a_round_after_the_ledger_came_back_does_its_work() -> None:
    async def play(stand: Stand) -> None:
        messages = await stand.accept(1)
        stand.ledger.now += LIMITS.grace
        stand.ledger.away = True
        await one_round(stand)
        stand.ledger.away = False
        await one_round(stand)
        assert stand.hints.message_ids == ids(messages)

    run(play)


def test_a_bug_in_a_round_ends_the_service_and_is_not_hidden() -> None:
    class Broken(FakeBreakers):
        @override
        async def opened(self) -> Mapping[str, OpenedBreaker]:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        run(lambda stand: stand.sweeper.run(), Stand(Broken()))


def test_a_backlog_is_released_soon_after_messages_were_settled() -> None:
    async def play(stand: Stand) -> None:
        service = asyncio.create_task(stand.sweeper.run_releases())
        first, second, *_, fourth, fifth = await stand.accept(5)
        await stand.finish(first)
        await a_moment()
        assert stand.hints.published == []
        stand.sweeper.room_may_be_free()
        await a_moment()
        assert stand.hints.message_ids == [fourth.message_id]
        await stand.finish(second)
        stand.sweeper.room_may_be_free()
        await until(lambda: len(stand.hints.message_ids) == 2)
        assert stand.hints.message_ids == [fourth.message_id, fifth.message_id]
        stand.sweeper.stop()
        await asyncio.wait_for(service, 5)

    run(play)


def test_releases_go_on_after_the_ledger_was_away() -> None:
    async def play(stand: Stand) -> None:
        service = asyncio.create_task(stand.sweeper.run_releases())
        first, *_ = await stand.accept(4)
        await stand.finish(first)
        stand.ledger.away = True
        stand.sweeper.room_may_be_free()
        await a_moment()
        stand.ledger.away = False
        stand.sweeper.room_may_be_free()
        await until(lambda: bool(stand.hints.published))
        stand.sweeper.stop()
        await asyncio.wait_for(service, 5)

    run(play)


def test_after_the_stop_settled_messages_release_nothing_here() -> None:
    async def play(stand: Stand) -> None:
        service = asyncio.create_task(stand.sweeper.run_releases())
        first, *_ = await stand.accept(4)
        await a_moment()
        stand.sweeper.stop()
        await stand.finish(first)
        stand.sweeper.room_may_be_free()
        await asyncio.wait_for(service, 5)
        assert stand.hints.published == []

    run(play)
