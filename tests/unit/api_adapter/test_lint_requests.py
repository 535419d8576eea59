"""The lint of sends over HTTP."""

import gzip
from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from tests.asgi_calls import JSON, Answer, Call, exchange
from tests.front_desk import APP, CLIENT, TOKEN, FrontDesk, grant, user, wallet
from tests.samples import send_body, send_fields
from worker.contract.codes import ResultCode
from worker.contract.identity import message_id
from worker.contract.users import SendCap

PATH = "/v2/miniprogram/message/lint"


def called(body: bytes, desk: FrontDesk | None = None, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    call = Call(PATH, [body], headers=[JSON, ("Client-Id", CLIENT), *headers])
    return exchange((desk or FrontDesk()).app(), call)


def batch(sends: Sequence[object], **common: object) -> bytes:
    return orjson.dumps({**common, "sends": sends})


def test_one_send_is_one_item_and_nothing_is_taken() -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(user(languages=("ja",)))
    desk.wallets.wallets["GCASH"] = wallet(cap=SendCap(5, 1_000))

    answer = called(send_body(), desk)

    assert answer.code == "SUCCESS"
    (item,) = answer.json["items"]
    assert (item["fate"], item["messageId"], item["templateVersion"]) == ("TAKEN", message_id(APP, "10017019"), 1)
    assert item["choice"] == {
        "language": "en-US",
        "entry": 0,
        "why": "DEFAULT",
        "reason": "none that was sent is one the user prefers; this is the template's default",
    }
    assert item["languages"][0]["channels"][0]["content"]["content"] == "Hello, XiaoMing"
    assert item["cap"] == {"messages": 5, "period": 1_000, "counted": 0, "left": 5}
    assert (desk.taken(), dict(desk.caps.counted)["GCASH", APP, user().customer_id]) == ([], set())
    assert TOKEN.encode() not in answer.body


def test_a_batch_is_answered_in_order_with_what_all_have_in_common() -> None:
    fields = send_fields()
    common = {name: fields[name] for name in ("appId", "templateCode", "redirectUrl", "templates")}
    own = {"accessToken": TOKEN}

    answer = called(
        batch([{**own, "requestId": "a"}, "no object", {"requestId": "b"}, {**own, "requestId": "a"}], **common)
    )

    assert [(item["index"], item["requestId"], item["fate"]) for item in answer.json["items"]] == [
        (0, "a", "TAKEN"),
        (1, None, "REFUSED"),
        (2, None, "REFUSED"),
        (3, "a", "REPEATED"),
    ]
    assert answer.json["items"][3]["repeatOf"] == 0
    assert answer.json["totals"] == {
        "sends": 4, "TAKEN": 1, "UNDELIVERABLE": 0, "REPEATED": 1, "REFUSED": 2, "UNKNOWN": 0,
    }  # fmt: skip


@pytest.mark.parametrize(("number", "code"), [(0, "PARAM_ILLEGAL"), (500, "SUCCESS"), (501, "PARAM_ILLEGAL")])
def test_a_batch_has_1_to_500_sends(number: int, code: str) -> None:
    assert called(batch([{}] * number)).code == code


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"nonsense"])
def test_what_is_no_json_is_refused_as_a_whole(body: bytes) -> None:
    answer = called(body)

    assert answer.json == {
        "result": {
            "resultCode": "PARAM_ILLEGAL",
            "resultStatus": "F",
            "resultMessage": "$: the body is not valid JSON",
        },
    }


@pytest.mark.parametrize("body", [b"[]", b"1", b'"sends"', b"null"])
def test_what_is_no_object_is_a_send_that_would_be_refused(body: bytes) -> None:
    answer = called(body)

    assert [(item["fate"], item["result"]["resultCode"]) for item in answer.json["items"]] == [
        ("REFUSED", "PARAM_ILLEGAL")
    ]


def test_a_compressed_batch_is_read_and_a_bomb_is_cut_off() -> None:
    encoded = [("Content-Encoding", "gzip")]

    assert called(gzip.compress(batch([send_fields()])), headers=encoded).json["totals"]["TAKEN"] == 1
    assert called(gzip.compress(b" " * (1024 * 1024 + 1)), headers=encoded).status == 413


def test_the_sizes_of_one_send_and_of_a_batch_are_those_of_sending() -> None:
    large = send_fields(extra="x" * 64 * 1024)

    one, many = called(orjson.dumps(large)), called(batch([large, send_fields()]))

    assert one.json["items"][0]["result"]["resultMessage"] == "$: is larger than 65536 bytes"
    assert [item["fate"] for item in many.json["items"]] == ["REFUSED", "TAKEN"]
    assert called(b" " * (1024 * 1024 + 1)).status == 413


def test_R31_while_the_store_is_away_the_whole_is_u() -> None:
    desk = FrontDesk()
    desk.users.away = True

    answer = called(send_body(), desk)

    assert answer.code == ResultCode.UNKNOWN_EXCEPTION
    assert [item["fate"] for item in answer.json["items"]] == ["UNKNOWN"]


def test_R20_a_client_learns_nothing_of_anothers_app() -> None:
    desk = FrontDesk(clients={CLIENT: ["another-app"]})

    item: dict[str, Any] = called(send_body(), desk).json["items"][0]

    assert (item["result"]["resultCode"], item["choice"], item["languages"], item["cap"]) == (
        "ACCESS_DENIED",
        None,
        [],
        None,
    )
