"""One wallet call: what is answered, who got the message, whose turn was taken."""

from typing import Any

import orjson
import pytest

from tests.unit.worker.adapters.gateways.simulator.conftest import MessageFields
from worker.adapters.gateways.simulator.behaviours import parse_script
from worker.adapters.gateways.simulator.deliveries import Deliveries, Idempotency
from worker.adapters.gateways.simulator.exchange import Reply, Reset, Response, Silence
from worker.adapters.gateways.simulator.gateway import SimulatedGateway

NOON = 1_700_000_000_000


class Desk:
    """A gateway with its record, and a short way to call it with users (the messageId is the customerId)."""

    def __init__(self, fields: MessageFields, idempotency: Idempotency = Idempotency.HONOURED) -> None:
        self.deliveries = Deliveries(idempotency)
        self.gateway = SimulatedGateway(self.deliveries, lambda: NOON)
        self._fields = fields

    def call(self, *customers: str) -> Reply:
        messages = [self._fields(messageId=customer, customerId=customer) for customer in customers]
        return self.gateway.answer(orjson.dumps({"messages": messages}))

    def answer(self, *customers: str) -> dict[str, Any]:
        reply = self.call(*customers)
        assert isinstance(reply, Response)
        content: dict[str, Any] = orjson.loads(reply.body)
        return content

    def status(self, *customers: str) -> str:
        return str(self.answer(*customers)["result"]["resultStatus"])

    def successes(self, *customers: str) -> list[bool]:
        return [entry["success"] for entry in self.answer(*customers)["messageSendResults"]]

    def delivered(self, customer: str) -> int:
        return self.deliveries.tally(customer).delivered


@pytest.fixture
def desk(fields: MessageFields) -> Desk:
    """Return a fresh gateway."""
    return Desk(fields)


def test_R65_every_message_of_a_taken_call_has_its_entry(desk: Desk) -> None:
    assert desk.answer("ann", "bob") == {
        "result": {"resultCode": "SUCCESS", "resultStatus": "S", "resultMessage": "success"},
        "messageSendResults": [
            {"messageId": "ann", "success": True, "retry": False},
            {"messageId": "bob", "success": True, "retry": False},
        ],
        "extendInfo": None,
    }


def test_R69_an_invalid_call_is_refused_as_a_whole(desk: Desk) -> None:
    answer = desk.answer("ann", "a b")

    assert answer["result"]["resultCode"] == "PARAM_ILLEGAL"
    assert answer["result"]["resultStatus"] == "F"
    assert answer["result"]["resultMessage"].startswith("$.messages[1].messageId: must not contain")
    assert (desk.delivered("ann"), desk.deliveries.counts.rejected_calls, desk.deliveries.counts.calls) == (0, 1, 1)


def test_a_reason_with_many_faults_is_cut_to_256_characters(desk: Desk) -> None:
    assert len(desk.answer(*["a b"] * 20)["result"]["resultMessage"]) == 256


@pytest.mark.parametrize(
    ("customer", "retry", "code"),
    [
        ("sim-fail", False, "USER_NOT_EXIST"),
        ("sim-retry", True, "SYSTEM_BUSY"),
        ("sim-flaky-100", True, "SYSTEM_BUSY"),
        ("sim-typo", False, "SIMULATOR_SCRIPT_UNKNOWN"),
    ],
)
def test_R68_a_failed_entry_says_whether_to_retry_and_leaves_the_others_alone(
    desk: Desk, customer: str, retry: object, code: str
) -> None:
    failed, fine = desk.answer(customer, "ann")["messageSendResults"]

    assert (failed["success"], failed["retry"], failed["resultCode"]) == (False, retry, code)
    assert fine["success"] is True
    assert (desk.delivered(customer), desk.delivered("ann")) == (0, 1)


def test_retry_n_fails_n_turns_then_delivers(desk: Desk) -> None:
    assert [desk.successes("sim-retry-2")[0] for _ in range(4)] == [False, False, True, True]


def test_unknown_n_answers_u_n_turns_then_delivers(desk: Desk) -> None:
    assert [desk.status("sim-unknown-2", "ann") for _ in range(3)] == ["U", "U", "S"]


def test_R68_result_u_has_no_entries_and_delivers_nothing(desk: Desk) -> None:
    assert (desk.answer("ann", "sim-unknown")["messageSendResults"], desk.delivered("ann")) == ([], 0)


def test_flaky_is_decided_anew_at_each_turn(desk: Desk) -> None:
    users = [f"sim-flaky-50-u{number}" for number in range(20)]
    successes = [desk.successes(*users) for _ in range(12)]

    assert 0 < sum(successes[0]) < 20
    assert all(successes[-1])


@pytest.mark.parametrize(("customer", "delivered"), [("sim-missing-1", 0), ("sim-act-missing-1", 1)])
def test_R68_missing_leaves_the_entry_out(desk: Desk, customer: str, delivered: int) -> None:
    entries = desk.answer(customer, "ann")["messageSendResults"]

    assert [entry["messageId"] for entry in entries] == ["ann"]
    assert desk.delivered(customer) == delivered
    assert desk.successes(customer) == [True]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("hang", Silence()),
        ("reset", Reset()),
        ("garbage", Response(200, b'{"result":{"resultCode":"SUCCESS","resultSta')),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize(("act", "delivered"), [("", 0), ("act-", 1)])
def test_R68_a_call_without_a_good_answer_is_acted_on_as_a_whole_or_not_at_all(
    desk: Desk, script: str, expected: Reply, act: str, delivered: int
) -> None:
    customer = f"sim-{act}{script}-1"

    assert desk.call("ann", customer, "bob") == expected
    assert [desk.delivered(user) for user in ("ann", customer, "bob")] == [delivered] * 3
    assert desk.successes("ann", customer, "bob") == [True, True, True]
    assert [desk.delivered(user) for user in ("ann", customer, "bob")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("customer", "status", "headers"),
    [
        ("sim-429-7-1", 429, {"Retry-After": "7"}),
        ("sim-503-2-1", 503, {"Retry-After": "2"}),
        ("sim-500-1", 500, {}),
    ],
)
def test_R69_http_failures_hold_for_the_whole_call(
    desk: Desk, customer: str, status: int, headers: dict[str, str]
) -> None:
    reply = desk.call("ann", customer)

    assert isinstance(reply, Response)
    assert (reply.status, reply.headers, desk.delivered("ann")) == (status, headers, 0)
    assert desk.successes("ann", customer) == [True, True]


def test_R69_a_poisonous_message_refuses_every_call_it_is_in(desk: Desk) -> None:
    assert desk.answer("ann", "sim-reject")["result"]["resultCode"] == "PARAM_ILLEGAL"
    assert (desk.status("ann"), desk.status("sim-reject"), desk.deliveries.counts.rejected_calls) == ("S", "F", 2)


def test_slow_delivers_at_once_and_answers_after_the_longest_wait(desk: Desk) -> None:
    reply = desk.call("sim-slow-20", "ann", "sim-slow-50")

    assert isinstance(reply, Response)
    assert (reply.delay, desk.delivered("sim-slow-20")) == (50, 1)


def test_the_first_call_wide_behaviour_of_a_call_decides(desk: Desk) -> None:
    assert (desk.call("ann", "sim-hang", "sim-reset"), desk.call("sim-reset", "sim-hang")) == (Silence(), Reset())


def test_a_message_held_back_by_another_keeps_its_turns(desk: Desk) -> None:
    desk.call("sim-503-1-1", "sim-retry-1")

    assert [desk.successes("sim-retry-1")[0] for _ in range(2)] == [False, True]


def test_a_call_wide_message_behind_another_one_keeps_its_turns(desk: Desk) -> None:
    desk.call("sim-act-hang-1", "sim-reset-1")

    assert (desk.delivered("sim-reset-1"), desk.call("sim-reset-1")) == (0, Reset())


def test_a_refusal_in_a_call_that_was_acted_on_takes_its_turn(desk: Desk) -> None:
    desk.call("sim-act-hang-1", "sim-retry-1")

    assert (desk.delivered("sim-retry-1"), desk.successes("sim-retry-1")) == (0, [True])


def test_messages_with_the_same_call_wide_script_take_their_turns_together(desk: Desk) -> None:
    desk.call("sim-hang-1", "sim-hang-1-bob")

    assert desk.successes("sim-hang-1", "sim-hang-1-bob") == [True, True]


def test_a_delivered_key_is_never_called_undelivered(desk: Desk) -> None:
    desk.answer("sim-fail", "sim-retry", "sim-flaky-100")
    desk.gateway.everybody = parse_script("deliver")
    desk.answer("sim-fail", "sim-retry", "sim-flaky-100")
    desk.gateway.everybody = None

    assert desk.successes("sim-fail", "sim-retry", "sim-flaky-100") == [True, True, True]


def test_without_idempotency_a_delivered_key_plays_its_script_again(fields: MessageFields) -> None:
    desk = Desk(fields, Idempotency.IGNORED)
    desk.gateway.everybody = parse_script("deliver")
    desk.answer("sim-fail")
    desk.gateway.everybody = None

    assert desk.successes("sim-fail") == [False]


def test_a_behaviour_for_everybody_outranks_the_users_own(desk: Desk) -> None:
    desk.gateway.everybody = parse_script("503-9")
    replies = [desk.call(customer) for customer in ("ann", "sim-hang")]

    assert [reply.status for reply in replies if isinstance(reply, Response)] == [503, 503]


def test_plain_deliveries_take_no_turn_of_a_later_script(desk: Desk) -> None:
    desk.answer("ann")
    desk.gateway.everybody = parse_script("unknown-1")

    assert [desk.status("ann"), desk.status("ann")] == ["U", "S"]


def test_messages_are_counted_by_what_they_met(desk: Desk) -> None:
    desk.call("ann", "sim-act-reset-1")
    desk.call("ann", "sim-retry")

    assert desk.deliveries.counts.messages_by_behaviour == {"act-reset": 2, "deliver": 1, "retry": 1}


def inquire(desk: Desk, *message_ids: str) -> Reply:
    return desk.gateway.inquire(orjson.dumps({"messageIds": message_ids}))


def test_an_inquiry_names_what_was_shown_and_shows_nothing(desk: Desk) -> None:
    desk.call("ann", "sim-act-hang-bob")
    desk.call("sim-hang-cid")

    reply = inquire(desk, "ann", "sim-act-hang-bob", "sim-hang-cid", "dora")

    assert isinstance(reply, Response)
    shown = [(entry["messageId"], entry["success"]) for entry in orjson.loads(reply.body)["messageSendResults"]]
    assert shown == [("ann", True), ("sim-act-hang-bob", True)]
    assert (desk.deliveries.counts.inquiries, desk.deliveries.counts.delivered, desk.deliveries.counts.calls) == (
        1,
        2,
        2,
    )


def test_an_inquiry_that_is_none_is_refused(desk: Desk) -> None:
    reply = desk.gateway.inquire(b"{}")

    assert isinstance(reply, Response)
    assert orjson.loads(reply.body)["result"]["resultStatus"] == "F"


@pytest.mark.parametrize(("script", "kind"), [("hang", Silence), ("act-hang", Silence), ("reset", Reset)])
def test_what_everybody_does_with_whole_calls_holds_for_inquiries(desk: Desk, script: str, kind: type[Reply]) -> None:
    desk.gateway.everybody = parse_script(script)

    assert isinstance(inquire(desk, "ann"), kind)
    assert desk.delivered("ann") == 0


def test_what_everybody_does_with_single_messages_leaves_inquiries_alone(desk: Desk) -> None:
    desk.gateway.everybody = parse_script("retry")

    assert isinstance(inquire(desk, "ann"), Response)
