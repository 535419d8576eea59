"""The journal: what came to the gateway when, and what users saw because of it."""

from pathlib import Path

import orjson

from tests.unit.worker.adapters.gateways.simulator.conftest import MessageFields
from worker.adapters.gateways.simulator.deliveries import Deliveries
from worker.adapters.gateways.simulator.gateway import SimulatedGateway
from worker.adapters.gateways.simulator.journal import Journal, JournalledCall, journal_file, read_journal

NOON = 1_700_000_000_000


def calls(fields: MessageFields, journal: Journal, *each: tuple[str, ...]) -> None:
    gateway = SimulatedGateway(Deliveries(), lambda: NOON, journal)
    for customers in each:
        messages = [fields(messageId=customer, customerId=customer) for customer in customers]
        gateway.answer(orjson.dumps({"messages": messages}))


def test_a_call_is_noted_with_what_it_showed_and_a_repeat_shows_nothing(fields: MessageFields) -> None:
    noted: list[JournalledCall] = []

    calls(fields, noted.append, ("ann", "bob"), ("bob", "sim-fail-eve"))

    assert noted == [
        JournalledCall(NOON, ("ann", "bob"), ("ann", "bob"), "deliver"),
        JournalledCall(NOON, ("bob", "sim-fail-eve"), (), "fail"),
    ]


def test_a_call_that_is_acted_upon_and_not_answered_is_noted_as_shown(fields: MessageFields) -> None:
    noted: list[JournalledCall] = []

    calls(fields, noted.append, ("sim-act-hang-zoe",), ("sim-hang-zoe",))

    assert [(call.shown, call.behaviour) for call in noted] == [(("sim-act-hang-zoe",), "act-hang"), ((), "hang")]


def test_a_file_keeps_the_calls_of_every_run(fields: MessageFields, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"

    for customer in ("ann", "bob"):
        with journal_file(path) as journal:
            calls(fields, journal, (customer,))

    assert [call.shown for call in read_journal(path)] == [("ann",), ("bob",)]


def test_there_need_be_no_file(fields: MessageFields, tmp_path: Path) -> None:
    with journal_file(None) as journal:
        calls(fields, journal, ("ann",))

    assert list(read_journal(tmp_path / "none.jsonl")) == []
