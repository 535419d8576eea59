import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from tests.fakes.breakers import FakeBreakers
from tests.fakes.clock import FakeClock
from worker.breaking import BreakerLimits, Breakers, Trouble, trouble_of
from worker.contract.answers import Answer, AnswerKind
from worker.contract.errors import LedgerUnavailableError
from worker.contract.gateways import BreakerState

DELIVERED = Answer(AnswerKind.DELIVERED)
REFUSED = Answer(AnswerKind.REFUSED, "USER_NOT_EXIST")
RETRYABLE = Answer(AnswerKind.RETRYABLE, "SYSTEM_BUSY")
REJECTED = Answer(AnswerKind.REJECTED, "PARAM_ILLEGAL")
UNANSWERED = Answer(AnswerKind.UNANSWERED)
UNREACHABLE = Answer(AnswerKind.UNREACHABLE, "GATEWAY_UNREACHABLE")
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


def throttled(milliseconds: int) -> Answer:
    return Answer(AnswerKind.THROTTLED, "HTTP_429", "the gateway asked to wait", milliseconds)


class Stand:
    """Two processes that share breakers, on one clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = FakeBreakers(now=self.clock.now())
        self.here, self.there = (Breakers(self.store, self.clock, BreakerLimits(failures=3)) for _ in range(2))

    def wait(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.store.now = self.clock.now()

    async def calls(self, *answers: Answer, begun: float | None = None) -> None:
        """Let calls of one message end here, and what they say be shared."""
        for answer in answers:
            self.here.call_ended("gcash", self.clock.monotonic() if begun is None else begun, [answer])
        await told(self.here)

    @property
    def state(self) -> BreakerState:
        return self.here.of("gcash").state


async def told(breakers: Breakers) -> None:
    while breakers._sharing:
        await asyncio.gather(*breakers._sharing)


def run(play: Callable[[Stand], Awaitable[None]]) -> Stand:
    async def main() -> Stand:
        stand = Stand()
        await play(stand)
        return stand

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ([DELIVERED], None),
        ([REFUSED], None),
        ([RETRYABLE, RETRYABLE], None),
        ([REJECTED], None),
        ([UNANSWERED, DELIVERED], None),
        ([UNANSWERED, UNANSWERED], Trouble("UNANSWERED")),
        ([UNREACHABLE], Trouble("GATEWAY_UNREACHABLE")),
        ([Answer(AnswerKind.UNANSWERED, "HTTP_500")], Trouble("HTTP_500")),
        ([DELIVERED, throttled(1_000)], Trouble("HTTP_429", 1_000)),
        ([throttled(1_000), Answer(AnswerKind.UNREACHABLE, "HTTP_401", "", 5_000)], Trouble("HTTP_401", 5_000)),
    ],
)
def test_a_call_speaks_against_its_gateway_when_it_failed_as_a_whole_or_was_asked_to_wait(
    answers: list[Answer], trouble: Trouble | None
) -> None:
    assert trouble_of(answers) == trouble


def test_failures_in_a_row_open_it_for_everybody() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(UNANSWERED, UNREACHABLE)
        assert stand.state is CLOSED
        await stand.calls(UNANSWERED)
        assert (stand.state, stand.here.of("gcash").wait) == (OPEN, 1_000)
        assert stand.there.of("gcash").state is CLOSED
        await stand.there.refresh()
        assert stand.there.of("gcash").state is OPEN
        assert stand.there.of("tng").state is CLOSED

    run(play)


def test_a_call_that_went_well_begins_the_count_anew() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(UNANSWERED, UNANSWERED, DELIVERED, UNANSWERED, UNANSWERED)
        assert stand.state is CLOSED

    run(play)


def test_R69_one_wish_to_wait_opens_it_for_as_long_as_it_says() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(throttled(60_000))
        stand.wait(59_999)
        assert stand.state is OPEN
        stand.wait(1)
        assert stand.state is HALF_OPEN

    run(play)


def test_R69_a_shorter_wish_does_not_cut_a_longer_one_in_force() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(throttled(5_000))
        await stand.calls(throttled(1_000))
        stand.wait(4_000)
        assert stand.state is OPEN

    run(play)


def test_once_half_open_one_process_probes_and_its_success_closes_it_for_everybody() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        stand.wait(1_000)
        await stand.there.refresh()
        assert (stand.state, stand.there.of("gcash").state) == (HALF_OPEN, HALF_OPEN)
        assert await stand.here.may_probe("gcash")
        assert stand.here.of("gcash").probing
        assert not await stand.there.may_probe("gcash")
        assert stand.there.of("gcash").state is OPEN
        await stand.calls(DELIVERED)
        assert stand.state is CLOSED
        await stand.there.refresh()
        assert stand.there.of("gcash").state is CLOSED

    run(play)


def test_a_failed_probe_opens_it_for_twice_as_long() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        stand.wait(1_000)
        assert await stand.here.may_probe("gcash")
        await stand.calls(UNANSWERED)
        assert (stand.state, stand.here.of("gcash").wait) == (OPEN, 2_000)
        assert not stand.here.of("gcash").probing

    run(play)


def test_who_may_not_probe_looks_again_within_a_second() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        stand.wait(1_000)
        await stand.there.refresh()
        await stand.here.may_probe("gcash")
        await stand.there.may_probe("gcash")
        assert stand.there.of("gcash").wait == 1_000

    run(play)


def test_failures_in_a_row_open_it_however_far_apart_they_are() -> None:
    async def play(stand: Stand) -> None:
        for _ in range(3):
            await stand.calls(UNREACHABLE)
            stand.wait(10_000)
            await stand.here.refresh()

    with capture_logs() as logs:
        run(play)

    assert [entry["event"] for entry in logs].count("breaker_opened") == 1


def test_a_probe_whose_answer_is_still_out_is_not_called_off_by_a_refresh() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        stand.wait(1_000)
        await stand.here.may_probe("gcash")
        await stand.here.refresh()
        assert stand.here.of("gcash").probing

    run(play)


def test_a_gateway_that_swallows_a_probe_is_probed_again_by_the_same_process() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        stand.wait(1_000)
        assert await stand.here.may_probe("gcash")
        stand.wait(5_000)
        assert stand.state is HALF_OPEN
        assert await stand.here.may_probe("gcash")

    run(play)


def test_calls_that_began_before_it_opened_neither_close_it_nor_open_it_again() -> None:
    """A gateway hangs, its calls time out one by one: the late ones say nothing of a gateway that is back."""

    async def play(stand: Stand) -> None:
        stand.wait(10_000)
        await stand.calls(*[UNANSWERED] * 3, begun=0.0)
        await stand.calls(DELIVERED, begun=0.0)
        assert stand.state is OPEN
        stand.wait(1_000)
        await stand.calls(DELIVERED)
        assert stand.state is CLOSED
        await stand.calls(*[UNANSWERED] * 9, begun=0.0)
        assert stand.state is CLOSED

    run(play)


def test_R69_a_wish_to_wait_is_heard_from_any_call() -> None:
    async def play(stand: Stand) -> None:
        stand.wait(10_000)
        await stand.calls(*[UNANSWERED] * 3)
        await stand.calls(throttled(60_000), begun=0.0)
        assert stand.here.of("gcash").wait == 60_000

    run(play)


def test_failures_while_it_is_open_are_not_counted() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 10)
        assert (await stand.store.opened())["gcash"].times == 1

    run(play)


def test_what_the_store_was_not_told_yet_is_not_unlearnt_by_a_refresh() -> None:
    class Slow(FakeBreakers):
        @override
        async def open(self, gateway: str, reason: str, asked: int | None) -> int:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await super().open(gateway, reason, asked)

    async def play(stand: Stand) -> None:
        here = Breakers(Slow(now=stand.store.now), stand.clock, BreakerLimits(failures=1))
        here.call_ended("gcash", 0.0, [UNANSWERED])
        await asyncio.sleep(0)
        await here.refresh()
        assert here.of("gcash").state is OPEN
        await told(here)
        await here.refresh()
        assert here.of("gcash").state is OPEN

    run(play)


def test_a_store_that_is_away_is_told_of_and_the_process_goes_by_itself() -> None:
    async def play(stand: Stand) -> None:
        stand.store.away = True
        await stand.calls(*[UNANSWERED] * 3)
        assert stand.state is OPEN
        stand.wait(1_000)
        assert not await stand.here.may_probe("gcash")
        assert stand.here.of("gcash").wait == 1_000
        with pytest.raises(LedgerUnavailableError):
            await stand.here.refresh()

    with capture_logs() as logs:
        run(play)

    assert [entry["event"] for entry in logs] == ["breaker_opened", "breaker_not_shared", "breaker_not_asked"]


def test_after_the_store_lost_everything_breakers_are_closed() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(throttled(60_000))
        await stand.store.close("gcash")
        await stand.here.refresh()
        assert stand.state is CLOSED

    run(play)


def test_opening_and_closing_are_logged_with_the_reason_and_no_text_of_a_gateway() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[Answer(AnswerKind.UNANSWERED, "HTTP_500", "secret")] * 3)
        stand.wait(1_000)
        await stand.calls(DELIVERED)

    with capture_logs() as logs:
        run(play)

    assert logs == [
        {
            "event": "breaker_opened",
            "gateway": "gcash",
            "reason": "HTTP_500",
            "asked_ms": None,
            "log_level": "warning",
        },
        {"event": "breaker_closed", "gateway": "gcash", "log_level": "info"},
    ]


def waits(stand: Stand, number: int) -> list[int]:
    return [stand.here.of("gcash").wait_of_one_more() for _ in range(number)]


def test_what_waits_comes_back_one_after_the_other_from_when_it_is_half_open() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(throttled(5_000))
        assert waits(stand, 3) == [5_000, 5_002, 5_004]
        stand.wait(4_000)
        assert waits(stand, 1) == [1_006]

    run(play)


def test_however_many_wait_each_comes_back_within_a_minute_or_when_the_gateway_wished() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        assert max(waits(stand, 50_000)) == 60_000
        await stand.calls(throttled(3_600_000))
        assert waits(stand, 1) == [3_600_000]

    run(play)


def test_after_a_closing_nobody_waits_for_those_before() -> None:
    async def play(stand: Stand) -> None:
        await stand.calls(*[UNANSWERED] * 3)
        waits(stand, 10_000)
        stand.wait(1_000)
        await stand.calls(DELIVERED)
        await stand.calls(*[UNANSWERED] * 3)
        assert waits(stand, 1) == [1_000]

    run(play)
