import asyncio
import gzip
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from api_adapter.authentication import SignedCall
from api_adapter.batch_sending import MAX_BATCH_BODY, BatchSending
from api_adapter.clients import Caller
from tests.asgi_calls import JSON, Answer, Call, exchange
from tests.fakes.origins import FakeBatches, FakeUpkeep
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.samples import send_body, send_fields
from worker.contract.clients import RegisteredClient
from worker.contract.errors import ContractViolationError, LedgerUnavailableError
from worker.contract.identity import message_id
from worker.contract.messages import Lane
from worker.contract.send_request import LenientSendRequest

PATH = "/v2/miniprogram/message/batchSend"
CLIENT_ID = ("Client-Id", CLIENT)
GZIP = ("Content-Encoding", "gzip")
KIB = 1024


def answered(desk: FrontDesk, *sends: object, **fields: object) -> dict[str, Any]:
    return raw_answer(desk, orjson.dumps({"sends": sends, **fields}))


def raw_answer(desk: FrontDesk, body: bytes) -> dict[str, Any]:
    return asyncio.run(BatchSending(desk.intake, FakeBatches(desk.ledger)).send({"client-id": CLIENT}, body)).content


def codes(answer: dict[str, Any]) -> list[str]:
    return [item["result"]["resultCode"] for item in answer["items"]]


def faults(body: bytes) -> str:
    with pytest.raises(ContractViolationError) as caught:
        raw_answer(FrontDesk(), body)
    return str(caught.value)


def posted(body: bytes, *headers: tuple[str, str]) -> Answer:
    return exchange(FrontDesk().app(), Call(PATH, [body], headers=(JSON, CLIENT_ID, *headers)))


def test_items_are_answered_in_order_and_good_ones_go_on() -> None:
    desk = FrontDesk()

    answer = answered(
        desk,
        send_fields(requestId="a"),
        send_fields(requestId="b", templates=[{"language": "en", "templateParameters": {}}]),
        "no object",
        send_fields(requestId="c", appId="x@y"),
        send_fields(requestId="d", templateCode="NONE"),
        send_fields(requestId="e"),
    )

    assert [item["index"] for item in answer["items"]] == list(range(6))
    assert [item["requestId"] for item in answer["items"]] == ["a", "b", None, "c", "d", "e"]
    assert codes(answer) == [
        "SUCCESS", "PARAM_ILLEGAL", "PARAM_ILLEGAL", "PARAM_ILLEGAL", "TEMPLATE_NOT_EXIST", "SUCCESS",
    ]  # fmt: skip
    assert [item.get("path") for item in answer["items"]] == [
        None,
        "$.sends[1].templates[0].templateParameters.who",
        "$.sends[2]",
        "$.sends[3].appId",
        "$.sends[4].templateCode",
        None,
    ]
    assert [item.get("messageId") for item in answer["items"]] == [
        message_id(APP, "a"), None, None, None, None, message_id(APP, "e"),
    ]  # fmt: skip
    assert answer["totals"] == {"sends": 6, "S": 2, "U": 0, "F": 4}
    assert answer["result"]["resultStatus"] == "S"
    assert {record.lane for record in desk.ledger.records.values()} == {Lane.BULK}


def test_a_requestId_twice_answers_like_a_repeat_and_names_the_first() -> None:
    answer = answered(
        FrontDesk(),
        send_fields(requestId="b", templates=[]),
        send_fields(requestId="a"),
        send_fields(requestId="b"),
        send_fields(requestId="a"),
        send_fields(requestId="a", redirectUrl="/other"),
    )

    assert codes(answer) == ["PARAM_ILLEGAL", "SUCCESS", "SUCCESS", "SUCCESS", "REPEAT_REQ_INCONSISTENT"]
    assert [item.get("repeatOf") for item in answer["items"]] == [None, None, None, 1, 1]
    assert answer["items"][3]["messageId"] == answer["items"][1]["messageId"]


def test_the_same_batch_again_takes_nothing_new() -> None:
    desk = FrontDesk()
    sends = [send_fields(requestId=f"r{number}") for number in range(20)]

    first, second = answered(desk, *sends), answered(desk, *sends)

    assert first == second
    assert len(desk.ledger.records) == 20


def test_what_all_have_in_common_may_stand_once() -> None:
    desk = FrontDesk()
    common = send_fields()
    own = [{name: common.pop(name) for name in ("accessToken", "requestId")}]
    own += [{**own[0], "requestId": "2", "redirectUrl": "/own"}, {**own[0], "requestId": "3", "redirectUrl": None}]

    answer = answered(desk, *own, **common)

    assert codes(answer) == ["SUCCESS", "SUCCESS", "PARAM_ILLEGAL"]
    assert [payload.redirect_url for payload in desk.taken()] == [common["redirectUrl"], "/own"]


def test_a_fault_of_what_all_have_in_common_is_named_once() -> None:
    assert faults(orjson.dumps({"sends": [send_fields()], "templateCode": "A B", "appId": 7})) == (
        "$.appId: must be a string; $.templateCode: must not contain @, #, ?, white space or control characters"
    )


def test_neither_token_nor_requestId_can_be_common() -> None:
    answer = answered(FrontDesk(), {}, **send_fields())

    assert answer["items"][0]["result"]["resultMessage"] == "$.accessToken: is required; $.requestId: is required"


def test_a_send_reads_the_same_alone_and_in_a_batch() -> None:
    desk = FrontDesk(request_model=LenientSendRequest)
    body = send_body(extendInfo={"b": "large", "a": "\\u00e9 😀"}).replace(b'"large"', b"12345678901234567890123")

    (alone,) = desk.take([body])
    answer = raw_answer(desk, b'{"sends":[%s]}' % body)

    assert codes(answer) == ["SUCCESS"]
    assert answer["items"][0]["messageId"] == alone.message_id


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "$: the body is not valid JSON"),
        (b"[]", "$: must be an object"),
        (b"{}", "$.sends: is required"),
        (b'{"sends":{}}', "$.sends: must be an array"),
        (b'{"sends":[]}', "$.sends: must have at least 1 entry"),
        (b'{"sends":[' + b",".join([b"{}"] * 501) + b"]}", "$.sends: must have at most 500 entries"),
    ],
)
def test_what_is_no_batch_is_refused_whole(body: bytes, told: str) -> None:
    assert faults(body) == told


@pytest.mark.parametrize("number", [499, 500])
def test_up_to_500_sends_are_taken(number: int) -> None:
    answer = answered(FrontDesk(), *(send_fields(requestId=f"r{index}") for index in range(number)))

    assert answer["totals"] == {"sends": number, "S": number, "U": 0, "F": 0}


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_R15_a_send_of_a_batch_may_be_as_large_as_alone(more: int) -> None:
    bare = send_fields(requestId="large", templates=[{"templateParameters": {"who": "x", "p": ""}}])
    size = 64 * KIB - len(orjson.dumps(bare)) + more
    large = send_fields(requestId="large", templates=[{"templateParameters": {"who": "x", "p": "x" * size}}])

    answer = answered(FrontDesk(), large, send_fields())

    assert codes(answer) == ["PARAM_ILLEGAL" if more > 0 else "SUCCESS", "SUCCESS"]
    assert answer["items"][0].get("path") == ("$.sends[0]" if more > 0 else None)


def test_a_batch_is_U_while_the_store_is_away() -> None:
    desk = FrontDesk()
    desk.ledger.away = True

    answer = answered(desk, send_fields(), "no object")

    assert codes(answer) == ["UNKNOWN_EXCEPTION", "PARAM_ILLEGAL"]
    assert answer["result"]["resultStatus"] == "U"
    assert answer["totals"] == {"sends": 2, "S": 0, "U": 1, "F": 1}


def test_a_batch_compressed_by_gzip_is_read() -> None:
    body = orjson.dumps({"sends": [send_fields()]})

    assert posted(gzip.compress(body), GZIP).json == posted(body).json


@pytest.mark.parametrize("more", [0, 1])
def test_a_compressed_batch_holds_no_more_than_a_plain_one(more: int) -> None:
    body = orjson.dumps({"sends": [send_fields()]})
    padded = body[:-1] + b" " * (MAX_BATCH_BODY - len(body) + more) + b"}"

    answer = posted(gzip.compress(padded), GZIP)

    assert (answer.status, answer.code) == ((413, "PARAM_ILLEGAL") if more else (200, "SUCCESS"))


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("gzip", "$: the body is not gzip"),
        ("br", "header Content-Encoding: must be gzip, or absent"),
        ("gzip, gzip", "header Content-Encoding: must be gzip, or absent"),
    ],
)
def test_a_body_that_is_not_encoded_as_it_says_is_refused(encoding: str, told: str) -> None:
    answer = posted(orjson.dumps({"sends": [send_fields()]}), ("Content-Encoding", encoding))

    assert (answer.status, answer.code) == (200, "PARAM_ILLEGAL")
    assert answer.json["result"]["resultMessage"] == told


def test_a_signature_is_over_the_bytes_as_they_were_sent() -> None:
    desk, bodies = FrontDesk(), list[bytes]()
    desk.registry.clients[CLIENT] = RegisteredClient(CLIENT, frozenset({APP}), ())

    class Noting:
        async def refusal(self, _caller: Caller, call: SignedCall, /) -> None:
            bodies.append(call.body)

        def before_body(self, _caller: Caller, _call: SignedCall, /) -> None: ...

    desk.require(Noting())
    body = gzip.compress(orjson.dumps({"sends": [send_fields()]}))

    answer = exchange(desk.app(), Call(PATH, [body[:10], body[10:]], headers=(JSON, CLIENT_ID, GZIP)))

    assert answer.code == "SUCCESS"
    assert bodies == [body]


def atomic(desk: FrontDesk, *sends: object) -> dict[str, Any]:
    return answered(desk, *sends, atomic=True)


def released(desk: FrontDesk) -> set[str]:
    async def release() -> set[str]:
        hints = await desk.ledger.release(await desk.ledger.backlogged())
        return {one for hint in hints for one in hint.message_ids}

    return asyncio.run(release())


GOOD = [send_fields(requestId=f"r{number}") for number in range(5)]
IDS = {message_id(APP, f"r{number}") for number in range(5)}


def test_an_atomic_batch_is_taken_whole() -> None:
    desk = FrontDesk()

    answer = atomic(desk, *GOOD)

    assert (answer["result"]["resultCode"], answer["totals"]["S"]) == ("SUCCESS", 5)
    assert desk.ledger.records.keys() == IDS
    assert released(desk) == IDS


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (send_fields(requestId="bad", templateCode="NONE"), "TEMPLATE_NOT_EXIST"),
        (send_fields(requestId="bad", templates=[]), "PARAM_ILLEGAL"),
        (send_fields(requestId="r0", redirectUrl="/other"), "REPEAT_REQ_INCONSISTENT"),
        ("no object", "PARAM_ILLEGAL"),
        ({}, "PARAM_ILLEGAL"),
    ],
)
def test_an_atomic_batch_with_a_refused_send_leaves_nothing(bad: object, code: str) -> None:
    desk = FrontDesk()

    answer = atomic(desk, *GOOD[:2], bad, *GOOD[2:])

    assert answer["result"]["resultCode"] == "BATCH_REFUSED"
    assert codes(answer) == ["BATCH_REFUSED"] * 2 + [code] + ["BATCH_REFUSED"] * 3
    assert not any("messageId" in item for item in answer["items"])
    assert desk.ledger.records == {}
    assert atomic(desk, *GOOD)["result"]["resultCode"] == "SUCCESS"


def test_what_was_taken_before_stays_when_an_atomic_batch_is_refused() -> None:
    desk = FrontDesk()
    answered(desk, GOOD[0])

    atomic(desk, *GOOD[:2], send_fields(requestId="bad", templateCode="NONE"))

    assert desk.ledger.records.keys() == {message_id(APP, "r0")}


def test_an_atomic_batch_again_is_taken_once() -> None:
    desk = FrontDesk()

    first, second = atomic(desk, *GOOD), atomic(desk, *GOOD)

    assert first == second
    assert released(desk) == IDS


def test_an_atomic_batch_of_which_nobody_decided_is_withdrawn() -> None:
    """As after a crash between the staging and the decision."""
    desk = FrontDesk()

    async def away(_batch: object) -> bool:
        raise LedgerUnavailableError("away")

    undecided: Any = FakeBatches(desk.ledger)
    broken = SimpleNamespace(run=away, withdraw=undecided.withdraw)
    body = orjson.dumps({"sends": GOOD, "atomic": True})
    sending = BatchSending(desk.intake, broken)

    answer = asyncio.run(sending.send({"client-id": CLIENT}, body)).content

    assert (answer["result"]["resultStatus"], set(codes(answer))) == ("U", {"UNKNOWN_EXCEPTION"})
    assert released(desk) == set()
    assert atomic(desk, *GOOD)["result"]["resultStatus"] == "U"  # it may be decided yet
    desk.ledger.now += desk.ledger.limits.staging + 1
    asyncio.run(FakeUpkeep(desk.ledger).look_after())
    assert desk.ledger.records == {}
    assert atomic(desk, *GOOD)["result"]["resultStatus"] == "S"


def test_an_atomic_batch_is_unknown_while_the_store_is_away() -> None:
    desk = FrontDesk()
    desk.ledger.away = True

    answer = atomic(desk, *GOOD, "no object")

    assert codes(answer) == ["UNKNOWN_EXCEPTION"] * 5 + ["PARAM_ILLEGAL"]
    assert answer["result"]["resultStatus"] == "U"


def test_an_atomic_batch_is_of_one_app() -> None:
    with pytest.raises(ContractViolationError, match="all sends must have the same appId"):
        atomic(FrontDesk(), GOOD[0], send_fields(appId="another"))


def test_atomic_is_a_boolean() -> None:
    assert faults(orjson.dumps({"sends": GOOD, "atomic": "yes"})).startswith("$.atomic: ")


@pytest.mark.parametrize("length", [63, 64, 65])
def test_a_requestId_that_is_too_long_is_not_told(length: int) -> None:
    (item,) = answered(FrontDesk(), send_fields(requestId="r" * length))["items"]

    assert (item["requestId"], item["result"]["resultStatus"]) == (("r" * length, "S") if length <= 64 else (None, "F"))
