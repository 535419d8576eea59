"""What a merchant beyond its rate is told, and what it is not refused for (CONTRACT R36)."""

import asyncio

import pytest

from tests.front_desk import APP, CLIENT, FrontDesk, grant
from tests.samples import send_body
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.codes import UNKNOWN, ResultCode, ResultStatus
from worker.contract.rates import LimitedBy, RateLimit

OVER_RATE = ResultCode.REQUEST_TRAFFIC_EXCEED_LIMIT
OTHER_APP = "333399"
OF_CLIENT = RateLimit(LimitedBy.CLIENT, CLIENT, 2)


def limited_desk(rate: int | None = 2, **app_rates: int) -> FrontDesk:
    """Return a desk whose client has a rate."""
    desk = FrontDesk()
    desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP, OTHER_APP}), (ClientKey(1, ""),), rate)
    desk.users.grants["other-app"] = grant(app_id=OTHER_APP)
    desk.app_rates.update(app_rates)
    return desk


def bodies(number: int, first: int = 0) -> list[bytes]:
    return [send_body(requestId=f"r{place}") for place in range(first, first + number)]


def codes(desk: FrontDesk, sends: list[bytes]) -> list[ResultCode]:
    return [answer.result.code for answer in desk.take(sends)]


def test_R36_sends_up_to_the_rate_are_taken_and_those_beyond_it_refused() -> None:
    desk = limited_desk()

    answers = desk.take(bodies(4))

    assert [answer.result.code for answer in answers] == [ResultCode.SUCCESS] * 2 + [OVER_RATE] * 2
    assert len(desk.taken()) == 2
    assert answers[2].result.status is ResultStatus.F
    assert answers[2].result.message == "this client may send 2 a second; send it again in 0.5 s"
    assert [[said.wait for said in answer.allowances] for answer in answers] == [[500], [500], [500], [1_000]]


def test_R36_at_the_rate_nothing_is_refused() -> None:
    desk = limited_desk()

    assert codes(desk, bodies(2)) == [ResultCode.SUCCESS] * 2
    desk.clock.advance(1_000)
    assert codes(desk, bodies(2, first=2)) == [ResultCode.SUCCESS] * 2
    assert desk.rates.refused[OF_CLIENT] == 0


def test_R36_R51_a_refused_send_is_not_remembered_and_taken_later() -> None:
    desk = limited_desk()
    assert codes(desk, bodies(3))[2] is OVER_RATE

    desk.clock.advance(500)

    assert codes(desk, bodies(1, first=2)) == [ResultCode.SUCCESS]


def test_R36_R50_a_repeat_is_never_refused_for_its_rate() -> None:
    desk = limited_desk()
    first = desk.take(bodies(2))

    again = desk.take(bodies(2))

    assert [(answer.result, answer.message_id) for answer in again] == [
        (answer.result, answer.message_id) for answer in first
    ]


def test_R36_what_is_refused_for_another_reason_uses_nothing_up() -> None:
    desk = limited_desk()

    assert codes(desk, [send_body(redirectUrl=None)] * 5) == [ResultCode.PARAM_ILLEGAL] * 5
    assert codes(desk, bodies(2)) == [ResultCode.SUCCESS] * 2


def test_R36_the_rate_of_a_client_is_of_all_its_apps_together() -> None:
    desk = limited_desk()

    assert codes(
        desk, [*bodies(1), *[send_body(appId=OTHER_APP, accessToken="other-app", requestId=f"o{n}") for n in (1, 2)]]
    ) == [
        ResultCode.SUCCESS,
        ResultCode.SUCCESS,
        OVER_RATE,
    ]


def test_R36_an_app_has_the_rate_that_the_settings_give_it_or_all_others() -> None:
    desk = limited_desk(None, **{APP: 1, "*": 2})
    other = [send_body(appId=OTHER_APP, accessToken="other-app", requestId=f"o{number}") for number in range(3)]

    answers = desk.take([*bodies(2), *other])

    taken, refused = ResultCode.SUCCESS, OVER_RATE
    assert [answer.result.code for answer in answers] == [taken, refused, taken, taken, refused]
    assert answers[1].result.message == "this appId may send 1 a second; send it again in 1 s"


def test_R36_what_its_app_refuses_uses_up_nothing_of_its_client() -> None:
    desk = limited_desk(2, **{APP: 1})
    other = send_body(appId=OTHER_APP, accessToken="other-app")

    assert codes(desk, [*bodies(5), other]) == [ResultCode.SUCCESS, *[OVER_RATE] * 4, ResultCode.SUCCESS]
    assert desk.rates.refused[OF_CLIENT] == 0


def test_R36_nobody_is_asked_about_sends_without_a_limit() -> None:
    desk = limited_desk(None, another=1)
    desk.rates.away = True

    (answer,) = desk.take(bodies(1))

    assert (answer.result.code, answer.allowances) == (ResultCode.SUCCESS, ())


def test_R36_a_batch_of_500_asks_once() -> None:
    desk = limited_desk(100)

    assert codes(desk, bodies(500)).count(ResultCode.SUCCESS) == 100
    assert [sum(call.values()) for call in desk.rates.calls] == [500]


def test_R36_sends_that_come_at_once_one_by_one_share_a_call() -> None:
    desk = limited_desk(50)

    async def main() -> list[ResultCode]:
        sends = (desk.intake.take_one({"client-id": CLIENT}, body) for body in bodies(60))
        return [answer.result.code for answer in await asyncio.gather(*sends)]

    assert asyncio.run(main()).count(ResultCode.SUCCESS) == 50
    assert sum(sum(call.values()) for call in desk.rates.calls) == 60
    assert len(desk.rates.calls) < 5


@pytest.mark.parametrize("rate", [2, None])
def test_R36_R52_without_the_store_nobody_can_say(rate: int | None) -> None:
    desk = limited_desk(rate, **{APP: 5})
    desk.rates.away = True

    assert desk.send().result == UNKNOWN
    desk.rates.away = False
    assert desk.code() is ResultCode.SUCCESS
