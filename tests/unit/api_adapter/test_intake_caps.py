from tests.front_desk import APP, FrontDesk, grant, user
from tests.samples import send_body
from worker.contract.codes import SUCCESS, UNKNOWN, ResultCode, ResultStatus
from worker.contract.identity import message_id
from worker.contract.users import SendCap

ID = message_id(APP, "10017019")


def capped(messages: int) -> FrontDesk:
    desk = FrontDesk()
    gcash = desk.wallets.wallets["GCASH"]
    desk.wallets.wallets["GCASH"] = type(gcash)(gcash.name, gcash.gateways, SendCap(messages, 60_000))
    return desk


def test_R35_a_wallets_cap_lets_so_many_messages_of_an_app_to_a_customer_through() -> None:
    desk = capped(2)

    answers = desk.take([send_body(requestId=f"r{number}") for number in range(4)])

    assert [answer.result.code for answer in answers] == [
        ResultCode.SUCCESS,
        ResultCode.SUCCESS,
        ResultCode.MESSAGE_SEND_EXCEED_LIMIT,
        ResultCode.MESSAGE_SEND_EXCEED_LIMIT,
    ]
    assert answers[3].result.status is ResultStatus.F
    assert len(desk.taken()) == 2


def test_R35_the_cap_is_of_each_app_and_customer() -> None:
    desk = capped(1)
    desk.users.grants["other-app"] = grant(app_id="other-app")
    desk.users.grants["other-customer"] = grant(user(customer_id="c9"))

    codes = [
        desk.code(),
        desk.code(appId="other-app", accessToken="other-app"),
        desk.code(requestId="r2", accessToken="other-customer"),
        desk.code(requestId="r3"),
    ]

    assert codes == [*[ResultCode.SUCCESS] * 3, ResultCode.MESSAGE_SEND_EXCEED_LIMIT]


def test_R35_R50_a_repeat_keeps_its_place() -> None:
    desk = capped(1)
    first = desk.send()

    assert desk.code(requestId="second") is ResultCode.MESSAGE_SEND_EXCEED_LIMIT
    assert desk.send() == first
    assert desk.take([send_body(), send_body()]) == [first, first]


def test_R35_a_repeat_after_the_period_takes_no_place_from_a_new_message() -> None:
    desk = capped(1)
    first = desk.send()
    desk.caps.counted.clear()  # the period has passed

    assert desk.send() == first
    assert desk.code(requestId="second") is ResultCode.SUCCESS
    assert desk.code(requestId="third") is ResultCode.MESSAGE_SEND_EXCEED_LIMIT


def test_R35_a_refused_send_takes_no_place() -> None:
    desk = capped(1)

    assert desk.code(redirectUrl=None) is ResultCode.PARAM_ILLEGAL
    assert desk.code(requestId="second") is ResultCode.SUCCESS


def test_R35_R51_a_send_beyond_the_cap_is_not_remembered() -> None:
    desk = capped(1)
    desk.send()

    assert desk.code(requestId="second") is ResultCode.MESSAGE_SEND_EXCEED_LIMIT
    desk.caps.counted.clear()  # the period has passed
    assert desk.code(requestId="second") is ResultCode.SUCCESS


def test_R35_R52_a_send_that_nobody_can_tell_about_keeps_its_place() -> None:
    desk = capped(1)
    desk.caps.away = True

    assert desk.send().result == UNKNOWN
    desk.caps.away = False
    assert desk.send().result == SUCCESS
    assert desk.code(requestId="second") is ResultCode.MESSAGE_SEND_EXCEED_LIMIT


def test_R35_without_a_cap_nothing_is_counted() -> None:
    desk = FrontDesk()
    desk.caps.away = True

    assert desk.send().result == SUCCESS
