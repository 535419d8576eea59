import asyncio
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from tests.front_desk import APP, CLIENT, DELIVER_WITHIN, TOKEN, FrontDesk, grant, user
from tests.samples import INBOX, NOON, PUSH, send_body
from worker.contract.identity import message_id, shard_of
from worker.contract.messages import Channel, DeliveryState, DeliveryUpdate, Lane, Settlement, Verdict

ID = message_id(APP, "10017019")
SUCCESS = {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"}
OPEN, S, F, U = DeliveryState.OPEN, DeliveryState.S, DeliveryState.F, DeliveryState.U


def settle(desk: FrontDesk, verdict: Verdict, *updates: DeliveryUpdate, of: str = ID, cause: str = "") -> None:
    """Let a worker claim a message and settle it two seconds later."""

    async def work() -> None:
        (claim,) = await desk.ledger.claim(shard_of(of, desk.ledger.shards), [of], "c1")
        desk.ledger.now += 2000
        await desk.ledger.settle(
            [Settlement(of, "c1", claim.attempt, verdict, updates, tries=1, delay=5000, cause=cause, worker="w1")],
        )

    asyncio.run(work())


def outcome(desk: FrontDesk, **fields: object) -> dict[str, Any]:
    answer = desk.inquire(**(fields or {"messageId": ID}))
    assert answer["result"] == SUCCESS
    return answer


def refused(answer: dict[str, Any]) -> tuple[str, str, str]:
    """Return code, status and message of an answer that holds nothing else."""
    assert answer.keys() == {"result"}
    result = answer["result"]
    return result["resultCode"], result["resultStatus"], result["resultMessage"]


QUEUED = {
    "status": "U",
    "reason": "OPEN",
    "settledBy": NOON + DELIVER_WITHIN,
    "code": None,
    "message": None,
    "at": None,
}


def sent(**replaced: object) -> FrontDesk:
    desk = FrontDesk()
    desk.send(**replaced)
    return desk


def test_R70_a_message_is_found_by_its_request_id_and_by_its_message_id() -> None:
    desk = sent()

    assert outcome(desk, appId=APP, requestId="10017019") == outcome(desk, messageId=ID)


def test_R70_a_message_just_taken_is_told_with_language_template_version_and_times() -> None:
    assert outcome(sent()) == {
        "result": SUCCESS,
        "messageId": ID,
        "appId": APP,
        "requestId": "10017019",
        "status": "U",
        "reason": "OPEN",
        "settledBy": NOON + DELIVER_WITHIN,
        "partial": False,
        "lane": "single",
        "templateCode": "PAYMENT_NOTICE",
        "templateVersion": 1,
        "language": "en-US",
        "takenAt": NOON,
        "settledAt": None,
        "expiresAt": NOON + DELIVER_WITHIN,
        "nextTryAt": None,
        "waitsFor": None,
        "attempts": 0,
        "tries": 0,
        "crashes": 0,
        "deadLetter": None,
        "channels": [
            {"channel": "PUSH", **QUEUED},
            {"channel": "INBOX", **QUEUED},
        ],
        "timeline": [],
    }


def test_R70_each_channel_and_every_attempt_is_told() -> None:
    desk = sent()
    settle(desk, Verdict.RETRY, DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, OPEN, "BUSY", "later 😀"))
    desk.ledger.now += 5000
    settle(desk, Verdict.FINAL, DeliveryUpdate(INBOX, F, "NO_USER", "unknown 客户"))

    found = outcome(desk)

    assert found["channels"] == [
        {
            "channel": "PUSH",
            "status": "S",
            "reason": None,
            "settledBy": None,
            "code": None,
            "message": None,
            "at": NOON + 2000,
        },
        {
            "channel": "INBOX",
            "status": "F",
            "reason": None,
            "settledBy": None,
            "code": "NO_USER",
            "message": "unknown 客户",
            "at": NOON + 9000,
        },
    ]
    assert (found["attempts"], found["tries"], found["settledAt"]) == (2, 2, NOON + 9000)
    assert found["timeline"] == [
        {
            "attempt": 1,
            "claimedAt": NOON,
            "settledAt": NOON + 2000,
            "worker": "w1",
            "results": ["PUSH=S:", "INBOX=O:BUSY"],
        },
        {
            "attempt": 2,
            "claimedAt": NOON + 7000,
            "settledAt": NOON + 9000,
            "worker": "w1",
            "results": ["INBOX=F:NO_USER"],
        },
    ]


def test_R70_a_message_that_waits_tells_when_its_next_try_is_due() -> None:
    desk = sent()
    settle(desk, Verdict.RETRY, DeliveryUpdate(PUSH, OPEN, "BUSY"), DeliveryUpdate(INBOX, S))

    assert outcome(desk)["nextTryAt"] == NOON + 7000


def test_R70_a_dead_letter_tells_why() -> None:
    desk = sent()
    settle(desk, Verdict.DEAD, DeliveryUpdate(PUSH, U, "UNANSWERED"), DeliveryUpdate(INBOX, S), cause="UNANSWERED")

    found = outcome(desk)

    assert (found["status"], found["reason"], found["deadLetter"]) == ("U", "UNANSWERED", "UNANSWERED")


def test_R73_each_U_says_until_when_and_a_U_for_good_that_it_is_one() -> None:
    desk = sent()
    deadline = NOON + DELIVER_WITHIN
    settle(desk, Verdict.RETRY, DeliveryUpdate(PUSH, OPEN, "UNANSWERED"), DeliveryUpdate(INBOX, S))
    waiting = outcome(desk)
    desk.ledger.now += 5000
    settle(desk, Verdict.DEAD, DeliveryUpdate(PUSH, U, "UNANSWERED"), cause="UNANSWERED")
    dead = outcome(desk)

    assert (waiting["reason"], waiting["settledBy"]) == ("UNANSWERED", deadline)
    assert [channel["settledBy"] for channel in waiting["channels"]] == [deadline, None]
    assert (dead["reason"], dead["settledBy"]) == ("UNANSWERED", None)
    assert [channel["settledBy"] for channel in dead["channels"]] == [None, None]


ENDS: list[tuple[tuple[DeliveryUpdate, DeliveryUpdate], tuple[str, str | None, bool]]] = [
    ((DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, S)), ("S", None, False)),
    ((DeliveryUpdate(PUSH, F, "X"), DeliveryUpdate(INBOX, F, "X")), ("F", None, False)),
    ((DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, F, "X")), ("F", None, True)),
    ((DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, U, "UNANSWERED")), ("U", "UNANSWERED", False)),
    ((DeliveryUpdate(PUSH, F, "X"), DeliveryUpdate(INBOX, U, "TRIES")), ("U", "OPEN", False)),
]


@pytest.mark.parametrize(("updates", "whole"), ENDS, ids=["S", "F", "partial", "unanswered", "open"])
def test_R73_the_whole_follows_from_its_channels_in_either_look_up(
    updates: tuple[DeliveryUpdate, DeliveryUpdate],
    whole: tuple[str, str | None, bool],
) -> None:
    desk = sent()
    settle(desk, Verdict.FINAL, *updates)

    one = outcome(desk)
    (many,) = desk.inquire_many(appId=APP, requestIds=["10017019"])["items"]

    assert (one["status"], one["reason"], one["partial"]) == whole
    assert many == {
        "requestId": "10017019",
        "messageId": ID,
        "status": whole[0],
        "reason": whole[1],
        "settledBy": None,
        "partial": whole[2],
    }


@pytest.mark.parametrize(("out", "left"), [(PUSH, INBOX), (INBOX, PUSH)])
def test_R73_a_channel_that_the_user_opted_out_of_is_skipped_and_counts_for_nothing(
    out: Channel, left: Channel
) -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(user(opted_out=frozenset({out})))
    desk.send()
    settle(desk, Verdict.FINAL, DeliveryUpdate(left, S))

    found = outcome(desk)

    assert {channel["channel"]: channel["status"] for channel in found["channels"]} == {out: "SKIPPED", left: "S"}
    assert (found["status"], found["partial"]) == ("S", False)


def test_R70_a_batch_travels_in_the_bulk_lane() -> None:
    desk = FrontDesk()
    desk.take([send_body()], Lane.BULK)

    assert outcome(desk)["lane"] == "bulk"


UNKNOWN_ONES = [
    {"messageId": "0" * 32},
    {"messageId": "0" * 64},
    {"messageId": "not-hexadecimal"},
    {"messageId": ID.upper()},
    {"messageId": "0x" + ID[2:]},
    {"messageId": "收" * 32},
    {"appId": APP, "requestId": "never"},
    {"appId": "other", "requestId": "10017019"},
]


@pytest.mark.parametrize("fields", UNKNOWN_ONES, ids=ascii)
def test_R71_an_unknown_message_is_refused_with_a_code_of_its_own(fields: dict[str, object]) -> None:
    code, status, _ = refused(sent().inquire(**fields))

    assert (code, status) == ("MESSAGE_NOT_EXIST", "F")


def test_R71_a_forgotten_message_does_not_exist() -> None:
    desk = sent()
    settle(desk, Verdict.FINAL, DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, S))
    desk.ledger.now += desk.ledger.limits.retention
    asyncio.run(desk.ledger.forget())

    assert refused(desk.inquire(messageId=ID))[0] == "MESSAGE_NOT_EXIST"
    assert desk.inquire_many(appId=APP, requestIds=["10017019"])["items"] == [
        {"requestId": "10017019", "status": "NEVER_SEEN"},
    ]


def test_R71_a_look_up_is_for_the_client_that_may_send_for_the_app() -> None:
    desk = FrontDesk(clients={CLIENT: [APP], "merchant-2": ["other"]})
    desk.send()
    denied = ("ACCESS_DENIED", "F", "$.appId: this client may not look up its messages")

    assert desk.inquire(messageId=ID)["messageId"] == ID
    assert refused(desk.inquire("merchant-2", appId=APP, requestId="10017019")) == denied
    assert refused(desk.inquire("merchant-2", appId=APP, requestId="never")) == denied
    assert refused(desk.inquire_many("merchant-2", appId=APP, requestIds=["10017019"])) == denied


def test_R71_a_message_of_another_merchant_looks_like_one_that_does_not_exist() -> None:
    desk = FrontDesk(clients={CLIENT: [APP], "merchant-2": ["other"]})
    desk.send()

    others, nobodys = (desk.inquire("merchant-2", messageId=one) for one in (ID, "0" * 32))

    assert others == nobodys
    assert refused(others)[0] == "MESSAGE_NOT_EXIST"


@pytest.mark.parametrize("client", ["", "merchant-3"])
def test_R39_a_look_up_names_its_caller(client: str) -> None:
    desk = FrontDesk(clients={CLIENT: [APP]})

    assert refused(desk.inquire(client, messageId=ID))[:2] == ("INVALID_CLIENT", "F")
    assert refused(desk.inquire_many(client, appId=APP, requestIds=["r"]))[:2] == ("INVALID_CLIENT", "F")


def test_R72_many_are_told_in_the_order_asked_and_as_often_as_asked() -> None:
    desk = FrontDesk()
    desk.take([send_body(requestId=f"r{number}") for number in range(5)])
    asked = ["r3", "never", "r0", "r3", "emoji😀", "r4"]

    answer = desk.inquire_many(appId=APP, requestIds=asked)

    assert answer["result"] == SUCCESS
    assert [item["requestId"] for item in answer["items"]] == asked
    assert [item["status"] for item in answer["items"]] == ["U", "NEVER_SEEN", "U", "U", "NEVER_SEEN", "U"]


def test_R72_at_most_ten_thousand_are_asked_for() -> None:
    desk = FrontDesk()
    most = [f"r{number}" for number in range(10_000)]

    assert [item["requestId"] for item in desk.inquire_many(appId=APP, requestIds=most)["items"]] == most
    assert refused(desk.inquire_many(appId=APP, requestIds=[*most, "one more"])) == (
        "PARAM_ILLEGAL",
        "F",
        "$.requestIds: must have at most 10000 entries",
    )
    assert refused(desk.inquire_many(appId=APP, requestIds=[]))[2] == "$.requestIds: must have at least 1 entry"


def test_R72_a_bad_request_id_is_named_by_its_index() -> None:
    answer = FrontDesk().inquire_many(appId=APP, requestIds=["r0", "a b", 1])

    assert refused(answer)[2].split("; ") == [
        "$.requestIds[1]: must not contain @, #, ?, white space or control characters",
        "$.requestIds[2]: must be a string",
    ]


@pytest.mark.parametrize("fields", [{}, {"appId": APP}, {"requestId": "r"}, {"messageId": None}], ids=ascii)
def test_R70_a_look_up_names_one_message(fields: dict[str, object]) -> None:
    code, _, message = refused(FrontDesk().inquire(**fields))

    assert (code, message) == ("PARAM_ILLEGAL", "$: appId with requestId, or messageId, is required")


def test_R14_ids_of_a_look_up_are_counted_in_characters() -> None:
    desk = FrontDesk()

    assert refused(desk.inquire(appId="😀" * 32, requestId="收" * 64))[0] == "MESSAGE_NOT_EXIST"
    assert refused(desk.inquire(appId="😀" * 33, requestId="收" * 65))[2].split("; ") == [
        "$.appId: must have at most 32 characters",
        "$.requestId: must have at most 64 characters",
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000, b'{"appId":"\\ud800"}'], ids=len)
def test_R15_a_look_up_is_a_json_object(body: bytes) -> None:
    desk = FrontDesk()
    headers = {"client-id": CLIENT}

    answers = [
        asyncio.run(desk.inquiries.one(headers, body)),
        asyncio.run(desk.inquiries.many(headers, body)),
    ]

    assert [refused(answer)[0] for answer in answers] == ["PARAM_ILLEGAL", "PARAM_ILLEGAL"]


def test_R31_while_the_ledger_is_away_a_look_up_is_unknown() -> None:
    desk = sent()
    desk.ledger.away = True

    with capture_logs() as logs:
        answers = [desk.inquire(messageId=ID), desk.inquire_many(appId=APP, requestIds=["10017019"])]

    assert [refused(answer)[:2] for answer in answers] == [("UNKNOWN_EXCEPTION", "U")] * 2
    assert [line["event"] for line in logs] == ["inquiry_unknown"] * 2
    desk.ledger.away = False
    assert outcome(desk)["messageId"] == ID


def test_every_answer_is_ready_for_json() -> None:
    desk = sent()
    settle(desk, Verdict.FINAL, DeliveryUpdate(PUSH, S), DeliveryUpdate(INBOX, F, "X", "y"))

    found = outcome(desk)

    assert orjson.loads(orjson.dumps(found)) == found
