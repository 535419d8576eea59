"""A merchant's books beside the ledger (CONTRACT R71, R72)."""

import asyncio
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from tests.front_desk import APP, CLIENT, FrontDesk
from tests.samples import INBOX, PUSH, send_body
from worker.contract.identity import message_id, shard_of
from worker.contract.messages import DeliveryState, DeliveryUpdate, Settlement, Verdict
from worker.contract.requests import MAX_INQUIRIES


def reconcile(desk: FrontDesk, *messages: object, app: str = APP, client: str = CLIENT) -> dict[str, Any]:
    body = orjson.dumps({"appId": app, "messages": messages})
    return asyncio.run(desk.inquiries.reconcile({"client-id": client}, body))


def desk_with(*request_ids: str) -> FrontDesk:
    desk = FrontDesk()
    desk.take([send_body(requestId=request_id) for request_id in request_ids])
    return desk


def deliver(desk: FrontDesk, request_id: str, push: DeliveryState) -> str:
    id_ = message_id(APP, request_id)

    async def work() -> None:
        (claim,) = await desk.ledger.claim(shard_of(id_, desk.ledger.shards), [id_], request_id)
        updates = (DeliveryUpdate(PUSH, push), DeliveryUpdate(INBOX, DeliveryState.S))
        await desk.ledger.settle([Settlement(id_, request_id, claim.attempt, Verdict.FINAL, updates, tries=1)])

    asyncio.run(work())
    return id_


def test_every_status_is_told_in_order_and_differences_by_themselves() -> None:
    desk = desk_with("open", "delivered", "failed")
    deliver(desk, "delivered", DeliveryState.S)
    failed = deliver(desk, "failed", DeliveryState.F)

    answer = reconcile(
        desk,
        {"requestId": "failed", "status": "S"},
        {"requestId": "delivered", "status": "S"},
        {"requestId": "open", "status": "U"},
        {"requestId": "lost"},
    )

    assert answer["result"]["resultCode"] == "SUCCESS"
    assert answer["totals"] == {"S": 1, "U": 1, "F": 1, "NEVER_SEEN": 1, "differences": 2}
    assert answer["statuses"] == ("F", "S", "U", "NEVER_SEEN")
    assert answer["differences"] == [
        {
            "index": 0,
            "requestId": "failed",
            "expected": "S",
            "messageId": failed,
            "status": "F",
            "reason": None,
            "settledBy": None,
            "partial": True,
        },
        {"index": 3, "requestId": "lost", "expected": None, "status": "NEVER_SEEN"},
    ]


@pytest.mark.parametrize(
    ("expected", "differs"), [(None, False), ("U", False), ("S", True), ("F", True), ("NEVER_SEEN", True)]
)
def test_what_is_expected_of_an_open_message_is_compared(expected: str | None, differs: bool) -> None:  # noqa: FBT001
    answer = reconcile(desk_with("open"), {"requestId": "open", "status": expected})

    assert answer["totals"]["differences"] == differs


@pytest.mark.parametrize(("expected", "differs"), [(None, True), ("S", True), ("NEVER_SEEN", False)])
def test_what_was_never_taken_differs_unless_the_books_say_so(
    expected: str | None,
    differs: bool,  # noqa: FBT001
) -> None:
    assert reconcile(desk_with(), {"requestId": "a", "status": expected})["totals"]["differences"] == differs


@pytest.mark.parametrize("number", [0, 1, MAX_INQUIRIES, MAX_INQUIRIES + 1])
def test_R72_books_have_one_to_ten_thousand_messages(number: int) -> None:
    answer = reconcile(FrontDesk(), *({"requestId": f"r{index}"} for index in range(number)))

    code = {0: "PARAM_ILLEGAL", MAX_INQUIRIES + 1: "PARAM_ILLEGAL"}.get(number, "SUCCESS")
    assert answer["result"]["resultCode"] == code


def test_every_fault_of_the_books_is_named_and_no_value_shown() -> None:
    answer = reconcile(FrontDesk(), {"requestId": "a", "status": "hush"}, {"status": "S"}, "hush")

    assert answer["result"]["resultMessage"].split("; ") == [
        "$.messages[0].status: must be 'S', 'U', 'F' or 'NEVER_SEEN'",
        "$.messages[1].requestId: is required",
        "$.messages[2]: must be an object",
    ]


def test_R71_only_who_may_send_for_the_app_learns_anything() -> None:
    desk = FrontDesk(clients={CLIENT: [APP]})

    assert reconcile(desk, {"requestId": "a"}, app="other")["result"]["resultCode"] == "ACCESS_DENIED"
    assert reconcile(desk, {"requestId": "a"}, client="nobody")["result"]["resultCode"] == "INVALID_CLIENT"


def test_R31_while_the_ledger_is_away_nobody_knows() -> None:
    desk = desk_with("a")
    desk.ledger.away = True

    with capture_logs():
        assert reconcile(desk, {"requestId": "a"})["result"]["resultStatus"] == "U"
