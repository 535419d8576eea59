"""Pause, resume and cancel over HTTP (issue 4)."""

import asyncio
from typing import Any

import orjson
import pytest

from api_adapter import origins
from tests.asgi_calls import Call, exchange
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.ledger_driver import new_messages
from worker.contract.codes import ResultCode
from worker.contract.identity import message_id
from worker.contract.messages import Lane, NewMessage
from worker.contract.origins import BatchPart


def asked(desk: FrontDesk, verb: str, /, **fields: object) -> dict[str, Any]:
    return exchange(desk.app(), Call(f"/v2/miniprogram/message/{verb}", [orjson.dumps(fields)])).json


def code(answer: dict[str, Any]) -> str:
    found: str = answer["result"]["resultCode"]
    return found


def take(desk: FrontDesk, number: int, prefix: str = "r", batch: str = "") -> list[NewMessage]:
    messages = new_messages(number, app_id=APP, prefix=prefix)
    asyncio.run(desk.ledger.accept(APP, Lane.BULK, messages, part=BatchPart(batch)))
    return messages


def test_what_is_paused_waits_and_goes_on_when_it_is_resumed() -> None:
    desk = FrontDesk()
    take(desk, 3)

    assert asked(desk, "pause", appId=APP) == {
        "result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"},
        "wasPaused": False,
        "paused": True,
        "waiting": 3,
        "scheduled": 0,
        "due": 0,
    }
    assert desk.send().result.code is ResultCode.SUCCESS
    assert desk.hints.message_ids == []
    resumed = asked(desk, "resume", appId=APP)
    assert (resumed["paused"], resumed["waiting"]) == (False, 4)


def test_a_repeat_is_told_that_nothing_changed() -> None:
    desk = FrontDesk()
    verbs = ("resume", "pause", "pause", "resume", "resume")

    told = [asked(desk, verb, appId=APP) for verb in verbs]

    assert [(one["wasPaused"], one["paused"]) for one in told] == [
        *((False, False), (False, True), (True, True), (True, False), (False, False))
    ]


def test_a_batch_stays_paused_with_its_merchant() -> None:
    desk = FrontDesk()
    asked(desk, "pause", appId=APP)

    assert asked(desk, "resume", appId=APP, batchId="b1")["paused"]
    assert asked(desk, "pause", appId=APP, batchId="b1")["paused"]
    assert not asked(desk, "resume", appId=APP)["paused"]


def test_everything_that_waits_is_cancelled() -> None:
    desk = FrontDesk()
    messages = take(desk, 4)
    shard = desk.ledger.records[messages[0].message_id].shard
    asyncio.run(desk.ledger.claim(shard, [messages[0].message_id], "c1"))

    answer = asked(desk, "cancel", appId=APP)

    counts = {name: answer[name] for name in ("cancelled", "final", "tried", "held", "later", "neverSeen", "more")}
    expected = {"cancelled": 3, "final": 0, "tried": 0, "held": 1, "later": 0, "neverSeen": 0, "more": False}
    assert counts == expected
    outcome = desk.inquire(appId=APP, requestId="r1")
    assert (outcome["status"], outcome["channels"][0]["code"]) == ("F", "CANCELLED")


def test_one_batch_is_cancelled_alone() -> None:
    desk = FrontDesk()
    take(desk, 2)
    take(desk, 2, "b", "b1")

    assert asked(desk, "cancel", appId=APP, batchId="b1")["cancelled"] == 2
    assert asked(desk, "cancel", appId=APP)["cancelled"] == 2


def test_named_requestIds_are_answered_one_by_one_in_order() -> None:
    desk = FrontDesk()
    take(desk, 2)

    answer = asked(desk, "cancel", appId=APP, requestIds=["r1", "nobody"])

    assert answer["items"] == [
        {"requestId": "r1", "messageId": message_id(APP, "r1"), "outcome": "CANCELLED"},
        {"requestId": "nobody", "messageId": message_id(APP, "nobody"), "outcome": "NEVER_SEEN"},
    ]
    assert (answer["cancelled"], answer["neverSeen"]) == (1, 1)


def test_R43_a_repeat_of_a_cancelled_send_is_S_with_its_messageId() -> None:
    desk = FrontDesk()
    first = desk.send()
    asked(desk, "cancel", appId=APP, requestIds=["10017019"])

    assert desk.send() == first
    assert desk.inquire(appId=APP, requestId="10017019")["status"] == "F"


def test_a_large_cancel_says_that_there_may_be_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST_AT_ONCE", 3)
    desk = FrontDesk()
    take(desk, 3)

    assert asked(desk, "cancel", appId=APP)["more"]
    assert not asked(desk, "cancel", appId=APP)["more"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "$.appId: is required"),
        ({"appId": "a b"}, "$.appId: must not contain"),
        ({"appId": APP, "batchId": "b#1"}, "$.batchId: must not contain"),
        ({"appId": APP, "batchId": ""}, "$.batchId: must have at least 1 character"),
        ({"appId": APP, "requestIds": []}, "$.requestIds: must have at least 1 entry"),
        ({"appId": APP, "requestIds": ["r"] * 10_001}, "$.requestIds: must have at most 10000 entries"),
        ({"appId": APP, "requestIds": ["r"], "batchId": "b"}, "$: batchId and requestIds: only one of them"),
    ],
)
def test_a_faulty_field_is_named(fields: dict[str, object], said: str) -> None:
    answer = asked(FrontDesk(), "cancel", **fields)

    assert code(answer) == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"].startswith(said)


def test_ten_thousand_requestIds_are_not_too_many() -> None:
    answer = asked(FrontDesk(), "cancel", appId=APP, requestIds=[f"r{n}" for n in range(10_000)])

    assert (answer["neverSeen"], len(answer["items"])) == (10_000, 10_000)


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_only_who_may_send_for_an_app_decides_about_its_messages(verb: str) -> None:
    desk = FrontDesk({CLIENT: ["another"]})

    assert code(asked(desk, verb, appId=APP)) == "ACCESS_DENIED"
    assert desk.ledger.paused == {}


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_while_the_ledger_is_away_nobody_can_say(verb: str) -> None:
    desk = FrontDesk()
    app = desk.app()
    desk.ledger.away = True

    call = Call(f"/v2/miniprogram/message/{verb}", [orjson.dumps({"appId": APP})])
    assert code(exchange(app, call).json) == "UNKNOWN_EXCEPTION"
