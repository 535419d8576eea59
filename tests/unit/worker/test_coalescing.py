import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from typing_extensions import override

from tests.fakes.breakers import FakeBreakers
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import FakeGateway
from tests.fakes.turns import FakeTurns
from tests.samples import PUSH, held, route, wallet_message
from worker.breaking import BreakerLimits, Breakers
from worker.call_limit import CallBounds
from worker.coalescers import Coalescers
from worker.coalescing import CallLimits, Coalescer
from worker.contract.answers import Answer, AnswerKind, WalletMessage
from worker.contract.gateways import BreakerState
from worker.contract.messages import Lane
from worker.contract.users import GatewayRoute
from worker.pacing import Paces
from worker.parcels import Parcel
from worker.routing import Errand

DELIVERED = Answer(AnswerKind.DELIVERED)
REJECTED = Answer(AnswerKind.REJECTED, "PARAM_ILLEGAL", "some message is at fault")
BUSY = Answer(AnswerKind.UNREACHABLE, "GATEWAY_BUSY", "too many deliveries wait for this gateway here")
NOT_SENT = Answer(AnswerKind.NOT_SENT)
UNANSWERED = Answer(AnswerKind.UNANSWERED)


class PickyGateway(FakeGateway):
    """Rejects every call that holds one of some messages, as the wallet's API does."""

    def __init__(self, *bad: str) -> None:
        super().__init__()
        self._bad = set(bad)

    @override
    async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
        answers = await super().send(route, messages)
        if self._bad.intersection(message.message_id for message in messages):
            return [REJECTED] * len(messages)
        return answers


class Stand:
    """A coalescer between parcels and a gateway, and what was heard of both."""

    def __init__(
        self, gateway: FakeGateway | None = None, limits: CallLimits | None = None, at: GatewayRoute | None = None
    ) -> None:
        self.clock = FakeClock()
        self.gateway = gateway or FakeGateway()
        self.answers: dict[str, Answer] = {}
        self.store = FakeBreakers(now=self.clock.now())
        self.breakers = Breakers(self.store, self.clock, BreakerLimits(failures=2))
        self.coalescer = Coalescer(at or route(), self.gateway, self.breakers, None, self.clock, limits or CallLimits())
        self.coalescer.wire(self._hear)

    def _hear(self, parcel: Parcel, answer: Answer) -> None:
        assert parcel.message.message_id not in self.answers, "answered twice"
        self.answers[parcel.message.message_id] = answer

    @property
    def calls(self) -> list[list[str]]:
        return [call.message_ids for call in self.gateway.calls]

    def put(self, *parcels: Parcel) -> None:
        self.coalescer.put(parcels)

    def wait(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.store.now = self.clock.now()

    async def done(self) -> None:
        """Wait until no call is in flight and everything that was learnt is shared."""
        await a_moment()
        while tasks := [*self.coalescer._calls, *self.breakers._sharing, *filter(None, [self.coalescer._asking])]:
            await asyncio.gather(*tasks)


async def a_moment() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def parcel(name: str, size: int = 20, deadline: float = 6.0) -> Parcel:
    return Parcel(held(name, deadline), PUSH, wallet_message(name), size)


def parcels(number: int, size: int = 20) -> list[Parcel]:
    return [parcel(f"m{index}", size) for index in range(number)]


def names(number: int, start: int = 0) -> list[str]:
    return [f"m{index}" for index in range(start, number)]


def run(
    play: Callable[[Stand], Awaitable[None]],
    gateway: FakeGateway | None = None,
    limits: CallLimits | None = None,
    at: GatewayRoute | None = None,
) -> Stand:
    """Return the stand after a play and after all its calls."""

    async def main() -> Stand:
        stand = Stand(gateway, limits, at)
        await play(stand)
        await stand.done()
        return stand

    return asyncio.run(main())


def sent(*given: Parcel, gateway: FakeGateway | None = None, limits: CallLimits | None = None) -> Stand:
    async def play(stand: Stand) -> None:
        stand.put(*given)

    return run(play, gateway, limits)


def throttled(milliseconds: int) -> Answer:
    return Answer(AnswerKind.THROTTLED, "HTTP_429", "the gateway asked to wait", milliseconds)


def handed_back(milliseconds: int) -> Answer:
    text = "the gateway fails or asked to wait: its breaker is open"
    return Answer(AnswerKind.THROTTLED, "BREAKER_OPEN", text, milliseconds)


def handed_back_in_turn(messages: Sequence[str], milliseconds: int) -> dict[str, Answer]:
    """Return what messages are answered that come back 500 a second, the first after so long."""
    return {name: handed_back(milliseconds + 2 * place) for place, name in enumerate(messages)}


def breakers() -> Breakers:
    return Breakers(FakeBreakers(), FakeClock(), BreakerLimits())


def paces() -> Paces:
    clock = FakeClock()
    return Paces(FakeTurns(clock), clock, lambda: 0.5)


def test_R65_a_single_delivery_goes_out_at_once_and_alone() -> None:
    assert sent(parcel("m0")).calls == [["m0"]]


def test_R65_calls_are_filled_up_to_their_limit_in_order() -> None:
    stand = sent(*parcels(45))

    assert stand.calls == [names(20), names(40, 20), names(45, 40)]
    assert stand.answers == dict.fromkeys(names(45), DELIVERED)


def test_R65_what_is_put_in_one_turn_of_the_loop_shares_a_call() -> None:
    async def play(stand: Stand) -> None:
        for one in parcels(8):
            stand.put(one)

    assert run(play).calls == [names(8)]


def test_R65_what_gathers_while_calls_are_in_flight_shares_the_next_call() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        for one in parcels(8):
            stand.put(one)
            await a_moment()
        assert stand.calls == [["m0"], ["m1"]]
        answer.set()

    assert run(play, limits=CallLimits(CallBounds(2))).calls == [["m0"], ["m1"], names(8, 2)]


def test_R68_each_message_gets_its_own_answer_of_a_call() -> None:
    gateway = FakeGateway()
    refused = Answer(AnswerKind.REFUSED, "USER_NOT_EXIST", "")
    gateway.answer("m1", refused)

    assert sent(*parcels(3), gateway=gateway).answers == {"m0": DELIVERED, "m1": refused, "m2": DELIVERED}


def test_R69_messages_tried_before_travel_in_smaller_calls() -> None:
    stand = sent(
        *parcels(3, size=20), parcel("small", 4), parcel("next", 20), *[parcel(f"alone{n}", 1) for n in (1, 2)]
    )

    assert stand.calls == [[*names(3), "small"], ["next"], ["alone1"], ["alone2"]]


@given(st.lists(st.sampled_from([1, 2, 5, 10, 20]), max_size=60))
def test_R69_no_message_shares_a_call_that_is_larger_than_it_may_travel_in(sizes: list[int]) -> None:
    allowed = {f"m{index}": size for index, size in enumerate(sizes)}

    stand = sent(*(parcel(name, size) for name, size in allowed.items()))

    assert [name for call in stand.calls for name in call] == list(allowed)
    assert all(len(call) <= min(allowed[name] for name in call) for call in stand.calls)
    # No two calls could have been one.
    assert all(
        len(call) + 1 > min(allowed[name] for name in [*call, after[0]]) for call, after in pairwise(stand.calls)
    )


@pytest.mark.parametrize("place", range(20))
def test_R69_a_rejected_call_is_halved_until_the_bad_message_stands_alone(place: int) -> None:
    bad = f"m{place}"

    stand = sent(*parcels(20), gateway=PickyGateway(bad))

    assert stand.answers == dict.fromkeys(names(20), DELIVERED) | {bad: REJECTED}
    assert [bad] in stand.calls
    assert len(stand.calls) <= 11


@given(st.sets(st.integers(0, 19)))
def test_R69_any_number_of_bad_messages_takes_no_good_one_with_it(bad: set[int]) -> None:
    wrong = [f"m{index}" for index in bad]

    stand = sent(*parcels(20), gateway=PickyGateway(*wrong))

    assert stand.answers == dict.fromkeys(names(20), DELIVERED) | dict.fromkeys(wrong, REJECTED)
    assert len(stand.calls) <= 39


def test_R69_a_rejected_call_of_one_message_is_asked_once() -> None:
    assert sent(parcel("m0"), gateway=PickyGateway("m0")).calls == [["m0"]]


def test_R69_halving_takes_the_place_of_one_call_in_flight() -> None:
    async def play(stand: Stand) -> None:
        stand.put(*parcels(40))
        await stand.done()

    stand = run(play, PickyGateway("m0", "m19"), CallLimits(CallBounds(1)))

    assert stand.calls[0] == names(20)
    assert stand.calls[-1] == names(40, 20)


def test_R69_a_wish_to_wait_opens_the_breaker_and_hands_back_what_waits() -> None:
    gateway = FakeGateway()
    gateway.answer_calls("gcash", throttled(7_000))

    stand = sent(*parcels(50), gateway=gateway, limits=CallLimits(CallBounds(1)))

    assert stand.calls == [names(20)]
    assert stand.breakers.of("gcash").wait == 7_000
    assert stand.answers == dict.fromkeys(names(20), throttled(7_000)) | handed_back_in_turn(names(50, 20), 7_000)


def test_R69_while_the_breaker_is_open_nothing_is_sent_and_afterwards_one_delivery_alone_asks() -> None:
    async def play(stand: Stand) -> None:
        stand.breakers.of("gcash").open(5_000)
        stand.put(parcel("m0", deadline=60))
        await a_moment()
        stand.wait(4_999)
        stand.put(parcel("m1", deadline=60))
        await a_moment()
        stand.wait(1)
        stand.put(*(parcel(f"n{number}", deadline=60) for number in range(5)))

    stand = run(play)

    assert stand.calls == [["n0"], ["n1", "n2", "n3", "n4"]]
    assert stand.answers == {"m0": handed_back(5_000), "m1": handed_back(3)} | dict.fromkeys(
        (f"n{number}" for number in range(5)), DELIVERED
    )


def test_a_probe_that_fails_hands_back_what_waited_for_it() -> None:
    async def play(stand: Stand) -> None:
        await stand.store.open("gcash", "UNANSWERED", None)
        stand.wait(1_000)
        await stand.breakers.refresh()
        stand.gateway.answer_calls("gcash", UNANSWERED)
        stand.put(*parcels(3))

    stand = run(play)

    assert stand.calls == [["m0"]]
    assert stand.answers["m0"] == UNANSWERED
    assert {stand.answers[name].code for name in ("m1", "m2")} == {"BREAKER_OPEN"}
    assert stand.breakers.of("gcash").wait == 2_000


def test_where_somebody_else_probes_nothing_is_sent() -> None:
    async def play(stand: Stand) -> None:
        await stand.store.open("gcash", "UNANSWERED", None)
        stand.wait(1_000)
        await stand.store.probe("gcash")
        await stand.breakers.refresh()
        stand.put(*parcels(3))

    stand = run(play)

    assert stand.calls == []
    assert stand.answers == handed_back_in_turn(names(3), 1_000)


def test_failures_in_a_row_stop_further_calls() -> None:
    gateway = FakeGateway()
    gateway.answer_calls("gcash", *[UNANSWERED] * 9)

    stand = sent(*parcels(9, size=1), gateway=gateway, limits=CallLimits(CallBounds(1)))

    assert stand.calls == [["m0"], ["m1"]]
    assert {answer.code for name, answer in stand.answers.items() if name not in {"m0", "m1"}} == {"BREAKER_OPEN"}


def test_a_stop_while_somebody_is_asked_whether_to_probe_sends_nothing() -> None:
    async def play(stand: Stand) -> None:
        await stand.store.open("gcash", "UNANSWERED", None)
        stand.wait(1_000)
        await stand.breakers.refresh()
        stand.put(*parcels(2))
        stand.coalescer.stop()

    stand = run(play)

    assert (stand.calls, stand.answers) == ([], dict.fromkeys(names(2), NOT_SENT))


def test_R69_a_wish_to_wait_that_comes_while_a_rejected_call_is_halved_stops_the_other_half() -> None:
    gateway = FakeGateway()
    gateway.answer_calls("gcash", REJECTED, throttled(3_000))

    stand = sent(*parcels(4), gateway=gateway)

    assert stand.calls == [names(4), names(2)]
    assert stand.answers == dict.fromkeys(names(2), throttled(3_000)) | handed_back_in_turn(names(4, 2), 3_000)


def test_a_message_whose_lease_ran_out_is_not_sent() -> None:
    async def play(stand: Stand) -> None:
        stand.clock.advance(6_000)
        stand.put(parcel("late", deadline=6.0), parcel("later", deadline=5.0))

    stand = run(play)

    assert stand.calls == []
    assert stand.answers == {"late": NOT_SENT, "later": NOT_SENT}


def test_a_message_whose_lease_ran_out_keeps_no_other_from_being_sent() -> None:
    async def play(stand: Stand) -> None:
        stand.clock.advance(6_000)
        stand.put(parcel("m0", deadline=6.001), parcel("late", deadline=6.0), parcel("m1", deadline=9.0))

    stand = run(play)

    assert stand.calls == [["m0", "m1"]]
    assert stand.answers == {"m0": DELIVERED, "late": NOT_SENT, "m1": DELIVERED}


def test_R43_a_message_that_expired_while_it_waited_for_a_call_is_not_sent_but_asked_after() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(parcel("m0", deadline=60))
        await a_moment()
        late, asked, open_still = parcel("late", deadline=60), unknown("asked", deadline=60), parcel("m1", deadline=60)
        late.held.expires = asked.held.expires = 5.0
        open_still.held.expires = 5.001
        stand.gateway.inquiry_answers = [[DELIVERED]]
        stand.put(late, asked, open_still)
        await a_moment()
        stand.clock.advance(5_000)
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(1)), at=ASKABLE)

    assert stand.calls == [["m0"], ["m1"]]
    assert stand.gateway.inquiries == [["asked"]]
    assert stand.answers["late"] == NOT_SENT


def test_the_lease_is_judged_when_the_call_starts_and_not_when_the_message_came() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(parcel("m0"))
        await a_moment()
        stand.put(parcel("m1", deadline=6.0), parcel("m2", deadline=60.0))
        await a_moment()
        stand.clock.advance(6_000)
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(1)))

    assert stand.calls == [["m0"], ["m2"]]
    assert stand.answers["m1"] == NOT_SENT


def test_a_lease_that_runs_out_while_a_call_is_halved_stops_its_message() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(parcel("m0", deadline=60), parcel("m1"))
        await a_moment()
        stand.clock.advance(6_000)
        answer.set()

    stand = run(play, PickyGateway("m0"))

    assert stand.calls == [["m0", "m1"], ["m0"]]
    assert stand.answers == {"m0": REJECTED, "m1": NOT_SENT}


def test_calls_in_flight_are_bounded() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(*parcels(100))
        await a_moment()
        assert stand.calls == [names(20), names(40, 20), names(60, 40)]
        assert stand.answers == {}
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(3)))

    assert len(stand.calls) == 5
    assert stand.answers == dict.fromkeys(names(100), DELIVERED)


def test_more_than_may_wait_is_answered_at_once() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(*parcels(20))
        await a_moment()
        stand.put(*(parcel(f"w{number}") for number in range(30)))
        stand.put(*(parcel(f"x{number}") for number in range(11)))
        assert stand.answers == {"x10": BUSY}
        stand.put(parcel("y"))
        assert stand.answers == {"x10": BUSY, "y": BUSY}
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(1), waiting=40))

    assert sum(answer == DELIVERED for answer in stand.answers.values()) == 60


def test_what_waits_for_a_gateway_that_answers_nobody_is_handed_back_so_that_it_holds_no_slots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.coalescing._STUCK", 0.05)

    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(*parcels(30))
        await asyncio.sleep(0.2)
        assert stand.answers == dict.fromkeys((f"m{number}" for number in range(20, 30)), BUSY)
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(1)))

    assert sum(answer == DELIVERED for answer in stand.answers.values()) == 20


def test_what_waits_for_a_gateway_that_keeps_answering_is_not_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.coalescing._STUCK", 0.2)

    class Steady(FakeGateway):
        @override
        async def send(self, route: GatewayRoute, messages: Sequence[WalletMessage]) -> list[Answer]:
            await asyncio.sleep(0.05)
            return await super().send(route, messages)

    stand = sent(*parcels(200), gateway=Steady(), limits=CallLimits(CallBounds(1)))

    assert set(stand.answers.values()) == {DELIVERED}


def test_interactive_sends_go_before_what_batches_left_waiting() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(parcel("first", 1))
        await a_moment()
        for name, lane in (("bulk", Lane.BULK), ("single", Lane.SINGLE)):
            waiting = [parcel(f"{name}-{number}", 1) for number in (1, 2)]
            for one in waiting:
                one.held.lane = lane
            stand.put(*waiting)
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(1)))

    assert stand.calls == [["first"], ["single-1"], ["single-2"], ["bulk-1"], ["bulk-2"]]


def test_the_lease_of_a_message_is_renewed_from_the_start_of_its_call_for_as_long_as_the_call_may_take() -> None:
    one = parcel("m0")

    async def play(stand: Stand) -> None:
        stand.clock.advance(4_000)
        stand.put(one)

    run(play, limits=CallLimits(hold=16.0))

    assert one.held.renew_until == 20.0


def test_a_gateway_that_raises_leaves_its_messages_unanswered_and_says_so_in_the_log() -> None:
    gateway = FakeGateway()
    gateway.break_calls("gcash", RuntimeError("a bug of ours"))

    with capture_logs() as logs:
        stand = sent(*parcels(2), gateway=gateway)

    broke = Answer(AnswerKind.UNANSWERED, message="the call broke on our side")
    assert stand.answers == dict.fromkeys(names(2), broke)
    assert [(entry["event"], entry["gateway"], entry["log_level"]) for entry in logs] == [
        ("gateway_call_broke", "gcash", "error"),
    ]


def test_no_two_routes_share_a_way_and_each_route_has_one() -> None:
    coalescers = Coalescers(FakeGateway(), breakers(), paces(), FakeClock(), CallLimits())
    coalescers.wire(lambda _parcel, _answer: None)

    assert coalescers.to(route()) is coalescers.to(route())
    assert coalescers.to(route()) is not coalescers.to(route(name="tng"))
    assert coalescers.to(route()) is not coalescers.to(route("http://moved.test"))
    assert coalescers.to(route(name="tng")).route == route(name="tng")


def test_a_gateway_that_never_answers_stops_no_other() -> None:
    answers: dict[str, Answer] = {}

    async def main() -> None:
        gateway = FakeGateway()
        answer = gateway.hang("gcash")
        coalescers = Coalescers(gateway, breakers(), paces(), FakeClock(), CallLimits(CallBounds(1)))
        coalescers.wire(lambda one, answer: answers.update({one.message.message_id: answer}))
        coalescers.to(route()).put(parcels(30))
        coalescers.to(route(name="tng")).put([parcel("other")])
        await a_moment()
        assert answers == {"other": DELIVERED}
        answer.set()
        await a_moment()

    asyncio.run(main())

    assert len(answers) == 31


def test_a_way_that_was_stopped_hands_back_what_waits_and_finishes_the_call_in_flight() -> None:
    async def play(stand: Stand) -> None:
        answer = stand.gateway.hang("gcash")
        stand.put(parcel("sent"))
        await a_moment()
        stand.put(parcel("waits"))
        stand.coalescer.stop()
        assert stand.answers == {"waits": NOT_SENT}
        answer.set()

    stand = run(play, limits=CallLimits(CallBounds(1)))

    assert stand.answers == {"waits": NOT_SENT, "sent": DELIVERED}
    assert stand.calls == [["sent"]]


def test_a_way_that_was_stopped_sends_nothing_that_comes_later() -> None:
    async def play(stand: Stand) -> None:
        stand.coalescer.stop()
        stand.put(parcel("late"))

    assert run(play).answers == {"late": NOT_SENT}


def test_a_call_that_was_not_begun_when_its_way_was_stopped_is_not_sent() -> None:
    async def play(stand: Stand) -> None:
        stand.put(parcel("begins"))
        stand.coalescer.stop()

    stand = run(play)

    assert (stand.answers, stand.calls) == ({"begins": NOT_SENT}, [])


def test_ways_that_are_met_after_the_stop_are_stopped_too() -> None:
    async def main() -> list[tuple[str, AnswerKind]]:
        heard: list[tuple[str, AnswerKind]] = []
        coalescers = Coalescers(FakeGateway(), breakers(), paces(), FakeClock(), CallLimits())
        coalescers.wire(lambda parcel, answer: heard.append((parcel.message.message_id, answer.kind)))
        known = coalescers.to(route(name="known"))
        coalescers.stop()
        known.put([parcel("a")])
        coalescers.to(route(name="new")).put([parcel("b")])
        return heard

    assert asyncio.run(main()) == [("a", AnswerKind.NOT_SENT), ("b", AnswerKind.NOT_SENT)]


ASKABLE = GatewayRoute("gcash", "http://wallet.test", inquiry=True)


def unknown(name: str, size: int = 20, deadline: float = 6.0) -> Parcel:
    """Return a delivery whose earlier answer never came."""
    return replace(parcel(name, size, deadline), errand=Errand.INQUIRE)


def test_what_may_have_been_shown_is_asked_for_and_sent_only_if_it_was_not() -> None:
    async def play(stand: Stand) -> None:
        stand.gateway.inquiry_answers = [[DELIVERED, None, Answer(AnswerKind.REFUSED, "USER_NOT_EXIST")]]
        stand.put(*(unknown(f"m{number}", 1) for number in range(3)))

    stand = run(play, at=ASKABLE)

    assert stand.gateway.inquiries == [names(3)]
    assert stand.calls == [["m1"]]
    assert stand.answers == {"m0": DELIVERED, "m1": DELIVERED, "m2": Answer(AnswerKind.REFUSED, "USER_NOT_EXIST")}


def test_an_inquiry_without_an_answer_sends_nothing() -> None:
    async def play(stand: Stand) -> None:
        stand.gateway.inquiry_answers = [[UNANSWERED]]
        stand.put(unknown("m0"))

    stand = run(play, at=ASKABLE)

    assert (stand.calls, stand.answers) == ([], {"m0": UNANSWERED})


def test_inquiries_and_sends_share_no_call() -> None:
    async def play(stand: Stand) -> None:
        stand.put(parcel("a"), parcel("b"), unknown("c"), unknown("d"), parcel("e"))

    stand = run(play, at=ASKABLE)

    assert stand.gateway.inquiries == [["c", "d"]]
    assert stand.calls == [["a", "b"], ["e"], ["c", "d"]]


class SlowToSay(FakeGateway):
    """Lets something happen while it is asked."""

    meanwhile: Callable[[], None]

    @override
    async def inquire(self, route: GatewayRoute, message_ids: Sequence[str]) -> list[Answer | None]:
        self.meanwhile()
        return await super().inquire(route, message_ids)


@pytest.mark.parametrize(
    "happens", [lambda stand: stand.wait(6_000), lambda stand: stand.coalescer.stop()], ids=["late", "stopped"]
)
def test_what_may_be_sent_is_not_sent_once_the_lease_ran_out_or_the_way_was_stopped(
    happens: Callable[[Stand], None],
) -> None:
    gateway = SlowToSay()

    async def play(stand: Stand) -> None:
        gateway.meanwhile = lambda: happens(stand)
        stand.put(unknown("m0"))

    stand = run(play, gateway, at=ASKABLE)

    assert (stand.calls, stand.answers) == ([], {"m0": NOT_SENT})


def test_an_inquiry_counts_for_the_breaker_as_a_send_does() -> None:
    async def play(stand: Stand) -> None:
        stand.gateway.inquiry_answers = [[UNANSWERED], [UNANSWERED]]
        for number in range(2):
            stand.put(unknown(f"m{number}"))
            await stand.done()
        assert stand.breakers.of("gcash").state is BreakerState.OPEN

    run(play, at=ASKABLE)
