import pytest

from tests.front_desk import APP, DELIVER_WITHIN, SHARDS, TOKEN, FrontDesk, grant, payment_notice, user
from tests.samples import INBOX, PUSH, payload, send_body
from worker.contract.callbacks import CallbackRegistration, Disabled
from worker.contract.codes import SUCCESS, UNKNOWN, ResultCode, ResultStatus
from worker.contract.identity import message_id, shard_of
from worker.contract.messages import Lane, NewMessage
from worker.contract.send_request import LenientSendRequest

ID = message_id(APP, "10017019")


def record_of(desk: FrontDesk, of: str = ID) -> NewMessage:
    return desk.ledger.records[of].new


def test_R30_a_send_is_taken_durably_and_answered_with_its_message_id() -> None:
    desk = FrontDesk()

    answer = desk.send()

    assert (answer.result, answer.message_id, answer.request_id) == (SUCCESS, ID, "10017019")
    assert desk.taken() == [payload()]


def test_R30_what_is_taken_is_recorded_with_all_that_look_ups_and_workers_need() -> None:
    desk = FrontDesk()
    desk.send()

    record = desk.ledger.records[ID]

    assert (record.app_id, record.lane, record.new.client_id) == (APP, Lane.SINGLE, "merchant-1")
    assert (record.new.template_code, record.new.template_version, record.new.language) == (
        "PAYMENT_NOTICE",
        1,
        "en-US",
    )
    assert (record.new.channels, record.new.skipped) == ((PUSH, INBOX), ())
    assert record.new.deliver_within == DELIVER_WITHIN


def test_a_taken_message_is_hinted_in_its_lane_and_shard() -> None:
    desk = FrontDesk()

    desk.take([send_body(requestId=f"r{number}") for number in range(20)], Lane.BULK)

    ids = [message_id(APP, f"r{number}") for number in range(20)]
    assert sorted(desk.hints.message_ids) == sorted(ids)
    assert {hint.lane for hint in desk.hints.published} == {Lane.BULK}
    assert all(shard_of(one, SHARDS) == hint.shard for hint in desk.hints.published for one in hint.message_ids)
    assert len(desk.hints.published) == SHARDS


def test_what_waits_in_the_backlog_is_not_hinted() -> None:
    desk = FrontDesk()

    desk.take([send_body(requestId=f"r{number}") for number in range(1000)])

    waiting = {one for ids in desk.ledger.backlogs.values() for one in ids}
    assert waiting
    assert set(desk.hints.message_ids) == desk.ledger.records.keys() - waiting


def test_R60_a_send_keeps_the_version_that_was_live_when_it_was_taken() -> None:
    desk = FrontDesk()
    desk.send(requestId="before")
    desk.templates.versions["PAYMENT_NOTICE", 2] = payment_notice(version=2)
    desk.send(requestId="after")

    versions = [record_of(desk, message_id(APP, request)).template_version for request in ("before", "after")]

    assert versions == [1, 2]


def test_R64_the_user_is_what_the_token_resolves_to() -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(user(customer_id="c9", languages=("ja",), opted_out=frozenset({PUSH})))

    desk.send(templates=[{"language": "ja", "templateParameters": {"who": "小明", "amount": "¥1"}}])

    assert [(one.customer_id, one.language) for one in desk.taken()] == [("c9", "ja-JP")]
    assert (record_of(desk).channels, record_of(desk).skipped) == ((INBOX,), (PUSH,))


@pytest.mark.parametrize("store", ["ledger", "users", "templates", "wallets"])
def test_R31_R52_while_a_store_is_away_nobody_can_say_and_repeating_settles_it(store: str) -> None:
    desk = FrontDesk()
    getattr(desk, store).away = True

    unknown = desk.send()
    getattr(desk, store).away = False
    settled = desk.send()

    assert (unknown.result, unknown.message_id, unknown.request_id) == (UNKNOWN, None, "10017019")
    assert (settled.result, settled.message_id) == (SUCCESS, ID)
    assert len(desk.taken()) == 1


def test_R31_a_refusal_is_unknown_too_while_nobody_can_say_whether_the_request_id_is_known() -> None:
    desk = FrontDesk()
    desk.ledger.away = True

    assert desk.send(templateCode="NONE").result == UNKNOWN
    assert desk.code(templates=[]) is ResultCode.PARAM_ILLEGAL


def test_R39_a_caller_may_send_for_its_own_apps_alone() -> None:
    desk = FrontDesk(clients={"merchant-1": [APP], "merchant-2": ["other"]})

    own, others, unknown = (
        desk.take([send_body()], client=client)[0].result for client in ("merchant-1", "merchant-2", "merchant-3")
    )

    assert own == SUCCESS
    assert (others.code, others.message) == (ResultCode.ACCESS_DENIED, "$.appId: this client may not send for it")
    assert unknown.code is ResultCode.INVALID_CLIENT
    assert len(desk.taken()) == 1


def test_R39_every_send_of_a_caller_without_a_name_is_refused() -> None:
    codes = [answer.result.code for answer in FrontDesk().take([send_body(), b"nonsense"], client="")]

    assert codes == [ResultCode.INVALID_CLIENT, ResultCode.INVALID_CLIENT]


def test_R42_a_template_that_another_release_wrote_spoils_no_other() -> None:
    desk = FrontDesk()
    desk.templates.versions["OLD", 1] = payment_notice(code="OLD")
    desk.templates.versions["BROKEN", 1] = payment_notice(
        code="BROKEN",
        channels=["PUSH"],
        contents={"en-US": {"PUSH": {"title": "T", "body": "${"}}},
    )
    desk.templates.unreadable.add("OLD")

    codes = ("OLD", "PAYMENT_NOTICE", "BROKEN", "NONE")
    answers = desk.take([send_body(requestId=code, templateCode=code) for code in codes])

    assert [answer.result.code for answer in answers] == [
        ResultCode.PROCESS_FAIL,
        ResultCode.SUCCESS,
        ResultCode.PROCESS_FAIL,
        ResultCode.TEMPLATE_NOT_EXIST,
    ]
    assert "put it again" in answers[0].result.message
    assert "${" not in answers[2].result.message


def test_R15_a_bad_line_of_a_batch_never_stops_the_good_ones() -> None:
    desk = FrontDesk()
    desk.users.grants["late"] = grant(expires_at=1)
    bad = [
        b"",
        b"nonsense",
        b"[]",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"appId":"\\ud800"}',
        send_body(extendInfo="x" * 70_000),
        send_body(requestId="a b"),
        send_body(templates=[]),
        send_body(templateCode="NONE"),
        send_body(accessToken="late"),
    ]
    lines = [line for number, body in enumerate(bad) for line in (body, send_body(requestId=f"good{number}"))]

    answers = desk.take(lines)

    assert [answer.result.status for answer in answers] == [ResultStatus.F, ResultStatus.S] * len(bad)
    assert [answer.request_id for answer in answers[1::2]] == [f"good{number}" for number in range(len(bad))]
    assert len(desk.taken()) == len(bad)


def test_a_batch_of_nothing_has_no_answers() -> None:
    assert FrontDesk().take([]) == []


def test_a_batch_may_mix_apps_and_is_answered_in_order() -> None:
    desk = FrontDesk()
    desk.users.grants["other"] = grant(app_id="other-app")
    bodies = [
        send_body(requestId=f"r{number}", **({"appId": "other-app", "accessToken": "other"} if number % 2 else {}))
        for number in range(10)
    ]

    answers = desk.take(bodies)

    assert [answer.request_id for answer in answers] == [f"r{number}" for number in range(10)]
    assert {answer.result for answer in answers} == {SUCCESS}
    assert len(desk.taken()) == 10


def test_R10_an_object_as_extend_info_is_taken_where_the_setting_allows_it() -> None:
    strict, lenient = FrontDesk(), FrontDesk(request_model=LenientSendRequest)
    info = {"b": 1, "a": "收"}

    assert strict.send(extendInfo=info).result.message == "$.extendInfo: must be a string"
    assert lenient.send(extendInfo=info).result == SUCCESS
    assert lenient.send(extendInfo=dict(reversed(info.items()))).result == SUCCESS
    assert [one.extend_info for one in lenient.taken()] == ['{"a":"收","b":1}']


def test_R6_R9_lint_travels_with_the_answer_and_keeps_nothing_from_being_taken() -> None:
    answer = FrontDesk().send(actionUrl="/action")

    assert answer.result == SUCCESS
    assert answer.remarks == ("$.actionUrl: is ignored beside redirectUrl; it is no documented field",)


def told(desk: FrontDesk) -> frozenset[ResultStatus]:
    return desk.ledger.records[ID].told


def registration(disabled: Disabled | None = None) -> CallbackRegistration:
    return CallbackRegistration(APP, "https://shop.example", frozenset({ResultStatus.F}), (), disabled)


def test_what_is_taken_says_of_which_outcomes_its_merchant_wants_to_be_told() -> None:
    desk = FrontDesk()
    desk.callbacks.registrations[APP] = registration()

    desk.send()

    assert told(desk) == {ResultStatus.F}


def test_a_merchant_whose_callback_is_disabled_or_not_there_is_told_nothing() -> None:
    for known in ({}, {APP: registration(Disabled(1, "by hand"))}, {"another": registration()}):
        desk = FrontDesk()
        desk.callbacks.registrations.update(known)

        desk.send()

        assert told(desk) == frozenset()


def test_R31_while_nobody_knows_who_wants_to_be_told_nothing_is_taken() -> None:
    desk = FrontDesk()
    desk.callbacks.away = True

    assert desk.send().result == UNKNOWN
    assert desk.ledger.records == {}
