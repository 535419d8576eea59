"""Requests from JSON, validated on the raw bytes.

A violation names each faulty field by its JSON path and the rule it breaks, never the value that broke it (R32).
"""

from functools import cache
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from worker.contract.errors import ContractViolationError
from worker.contract.faults import fault

Request = TypeVar("Request")


@cache
def _validator(model: type[object]) -> SchemaValidator:
    return cast("SchemaValidator", TypeAdapter(model).validator)  # what a plugin puts there has its methods too


def parse(model: type[Request], body: bytes) -> Request:
    """Return the request in a JSON body, or raise ContractViolationError naming every faulty field.

    The model may be any class that pydantic knows how to make.
    """
    try:
        found: Request = _validator(model).validate_json(body)  # type: ignore[arg-type]  # a class is hashable
    except ValidationError as error:
        raise _violation(error) from None
    return found


def parse_fields(model: type[Request], fields: object) -> Request:
    """Return the request in a part of a JSON body that is read already; raise ContractViolationError as `parse`."""
    try:
        found: Request = _validator(model).validate_python(fields)  # type: ignore[arg-type]
    except ValidationError as error:
        raise _violation(error) from None
    return found


def _violation(error: ValidationError) -> ContractViolationError:
    details = error.errors(include_url=False, include_input=False)
    return ContractViolationError([fault(detail) for detail in details])
