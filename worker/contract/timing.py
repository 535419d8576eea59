"""When a send is to be sent and when it expires: extension fields of ours, never required (issue 5)."""

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from worker.contract.moments import read_moment

LATEST = 253_402_300_799_999
"""The last millisecond of the year 9999."""


def _moment(value: object) -> object:
    at = read_moment(value) if isinstance(value, str) else value
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at <= LATEST:
        raise PydanticCustomError(
            "moment", "must be a time with offset such as 2031-05-01T12:00:00+08:00, or milliseconds since 1970"
        )
    return at


_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": LATEST},
        {"type": "string", "format": "date-time"},
    ],
    "description": "ISO 8601 with offset, or milliseconds since 1970",
}
Moment = Annotated[int, BeforeValidator(_moment), WithJsonSchema(_SCHEMA)]
"""Milliseconds since 1970, read from either writing."""
