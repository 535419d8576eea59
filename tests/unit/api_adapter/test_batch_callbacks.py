"""Which callbacks a merchant wants of a batch: as a part of what defines it, and of how its rows are taken."""

import asyncio
import json
from typing import Any

import pytest

from tests.batch_jobs import BATCH, DEFAULTS, asked, created, ids, line, uploaded
from tests.fakes.callbacks import FakeCallbackRegistry
from tests.front_desk import APP, FrontDesk
from worker.contract.callbacks import (
    EVERY_OUTCOME,
    NO_OUTCOMES,
    CallbackRegistration,
    Disabled,
    Outcomes,
    SealedSecret,
)
from worker.contract.codes import ResultStatus
from worker.contract.origins import Origin

F, U = ResultStatus.F, ResultStatus.U
REGISTERED = CallbackRegistration(APP, "https://shop.example", frozenset({F, U}), (SealedSecret("sealed"),))


def code(answer: dict[str, Any]) -> str:
    return str(answer["result"]["resultCode"])


def test_they_are_a_part_of_the_definition() -> None:
    desk = FrontDesk()

    assert code(created(desk, callbackOutcomes=["U", "F"], progressCallbacks=False)) == "SUCCESS"

    assert code(created(desk, callbackOutcomes=["F", "U"], progressCallbacks=False)) == "SUCCESS"
    assert code(created(desk, callbackOutcomes=["F"], progressCallbacks=False)) == "REPEAT_REQ_INCONSISTENT"
    assert code(created(desk, callbackOutcomes=["F", "U"])) == "REPEAT_REQ_INCONSISTENT"
    assert code(created(desk)) == "REPEAT_REQ_INCONSISTENT"


def test_a_definition_of_before_there_were_any_is_that_of_all() -> None:
    desk = FrontDesk()
    older = json.dumps(dict(DEFAULTS) | {"appId": APP}, separators=(",", ":"), sort_keys=True).encode()
    asyncio.run(desk.jobs.create(Origin(APP, BATCH), older, 1_000))

    assert code(created(desk)) == "SUCCESS"
    assert code(created(desk, callbackOutcomes=["S", "F", "U"], progressCallbacks=True)) == "SUCCESS"
    assert code(created(desk, callbackOutcomes=[])) == "REPEAT_REQ_INCONSISTENT"


def test_an_unknown_outcome_is_refused_by_its_path() -> None:
    answer = created(FrontDesk(), callbackOutcomes=["F", "DELIVERED"])

    assert answer["result"]["resultCode"] == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"] == "$.callbackOutcomes[1]: must be 'S', 'F' or 'U'"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, {F, U}),
        ({"callbackOutcomes": ["S", "F"]}, {F}),
        ({"callbackOutcomes": ["S"]}, NO_OUTCOMES),
        ({"callbackOutcomes": []}, NO_OUTCOMES),
        ({"progressCallbacks": False}, {F, U}),
    ],
)
def test_rows_are_told_of_as_registered_and_wanted(fields: dict[str, object], told: Outcomes) -> None:
    desk = FrontDesk()
    desk.callbacks.registrations[APP] = REGISTERED
    created(desk, **fields)

    uploaded(desk, 1, line("a"))
    desk.send(requestId="alone")

    row, alone = (desk.ledger.records[one] for one in ids(["a", "alone"]))
    assert row.told == told
    assert alone.told == {F, U}


@pytest.mark.parametrize("registered", [None, REGISTERED.disabled_by(Disabled(0, "by hand"))])
def test_they_widen_nothing(registered: CallbackRegistration | None) -> None:
    desk = FrontDesk()
    desk.callbacks.registrations = FakeCallbackRegistry(*([registered] if registered else [])).registrations
    created(desk, callbackOutcomes=["S", "F", "U"])

    uploaded(desk, 1, line("a"))

    assert desk.ledger.records[ids(["a"])[0]].told == NO_OUTCOMES


def test_rows_that_come_after_the_run_are_told_of_alike() -> None:
    desk = FrontDesk()
    desk.callbacks.registrations[APP] = CallbackRegistration(APP, REGISTERED.url, EVERY_OUTCOME, REGISTERED.secrets)
    created(desk, callbackOutcomes=["F"])
    uploaded(desk, 1, line("a"))
    assert asked(desk, "run")["state"] == "RUNNING"

    uploaded(desk, 2, line("late"))

    assert {desk.ledger.records[one].told for one in ids(["a", "late"])} == {frozenset({F})}
