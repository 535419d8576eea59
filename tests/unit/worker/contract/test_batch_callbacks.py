from typing import Any

import pytest

from worker.contract.batch_callbacks import BatchCallbacks
from worker.contract.batch_requests import BatchCreation
from worker.contract.callbacks import EVERY_OUTCOME, NO_OUTCOMES
from worker.contract.codes import ResultStatus
from worker.contract.errors import ContractViolationError
from worker.contract.parsing import parse_fields

ONLY_F = frozenset({ResultStatus.F})


def creation(**fields: object) -> BatchCreation:
    return parse_fields(BatchCreation, {"appId": "333301", "batchId": "june", **fields})


def faults(**fields: object) -> list[str]:
    with pytest.raises(ContractViolationError) as violation:
        creation(**fields)
    return violation.value.faults


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, BatchCallbacks(EVERY_OUTCOME, progress=True)),
        ({"callbackOutcomes": None}, BatchCallbacks()),
        ({"callbackOutcomes": ["U", "F", "S"], "progressCallbacks": True}, BatchCallbacks()),
        ({"callbackOutcomes": ["F"]}, BatchCallbacks(ONLY_F)),
        ({"callbackOutcomes": [], "progressCallbacks": False}, BatchCallbacks(NO_OUTCOMES, progress=False)),
    ],
)
def test_what_is_absent_is_as_registered(fields: dict[str, Any], wanted: BatchCallbacks) -> None:
    assert creation(**fields).callbacks == wanted


def test_each_fault_is_named_by_its_path() -> None:
    assert faults(callbackOutcomes=["F", "X", "s"]) == [
        "$.callbackOutcomes[1]: must be 'S', 'F' or 'U'",
        "$.callbackOutcomes[2]: must be 'S', 'F' or 'U'",
    ]
    assert faults(callbackOutcomes=["F", "F"]) == ["$.callbackOutcomes: must name each outcome once"]
    assert faults(callbackOutcomes=["S", "F", "U", "S"]) == ["$.callbackOutcomes: must have at most 3 entries"]
    assert faults(callbackOutcomes="FU") == ["$.callbackOutcomes: must be an array"]
    (fault,) = faults(progressCallbacks="no")
    assert fault.startswith("$.progressCallbacks: ")


def test_the_schema_says_what_is_refused() -> None:
    (outcomes, _) = BatchCreation.model_json_schema()["properties"]["callbackOutcomes"]["anyOf"]

    assert outcomes == {
        "type": "array",
        "items": {"type": "string", "enum": ["S", "F", "U"]},
        "maxItems": 3,
        "uniqueItems": True,
    }


def test_a_definition_says_only_what_is_narrowed() -> None:
    assert BatchCallbacks().fields() == {}
    assert BatchCallbacks(ONLY_F, progress=False).fields() == {"callbackOutcomes": ["F"], "progressCallbacks": False}


@pytest.mark.parametrize(
    ("definition", "told"),
    [
        (b"{}", BatchCallbacks()),
        (b'{"appId":"333301","redirectUrl":"/pages/1"}', BatchCallbacks()),
        (b'{"callbackOutcomes":[]}', BatchCallbacks(NO_OUTCOMES)),
        (b'{"callbackOutcomes":["F"],"progressCallbacks":false}', BatchCallbacks(ONLY_F, progress=False)),
    ],
)
def test_a_stored_definition_is_read_also_an_older_one(definition: bytes, told: BatchCallbacks) -> None:
    assert BatchCallbacks.read(definition) == told
