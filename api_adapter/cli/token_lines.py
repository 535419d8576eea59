"""What is given of an access token, as a line of a file or as options: checked, and turned into a grant. Pure."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api_adapter.cli.arguments import ArgumentError, duration, moment
from worker.contract.errors import ContractViolationError
from worker.contract.field_types import AppId, Id64, Language, Token
from worker.contract.messages import Channel
from worker.contract.parsing import parse
from worker.contract.quiet_hours import QuietHours, known_time_zone
from worker.contract.users import SEND_SCOPE, TokenGrant, User

_FIELD = re.compile(r"\$\.(\w+)(\[\d+\])?")
_OPTIONS = {
    "accessToken": "TOKEN",
    "appId": "--app-id",
    "customerId": "--customer-id",
    "wallet": "--wallet",
    "languages": "--language",
    "optedOut": "--opt-out",
    "timeZone": "--time-zone",
    "quietHours": "--quiet-hours",
    "scopes": "--scope",
    "expiresAt": "--expires-at",
    "expiresIn": "--expires-in",
}


def _reads(reader: Callable[[str], object]) -> BeforeValidator:
    def read(value: object) -> object:
        try:
            return reader(str(value))
        except (ArgumentError, ValueError) as error:
            raise PydanticCustomError("argument", "{reason}", {"reason": str(error)}) from None

    return BeforeValidator(read)


class TokenLine(BaseModel):
    """One access token and what it grants."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accessToken: Annotated[Token, Field(repr=False)]  # noqa: N815 - the API's own spelling
    appId: AppId  # noqa: N815
    customerId: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^\P{Cc}+$", repr=False)]  # noqa: N815
    """The wallet's id of the user (R66)."""
    wallet: Id64
    """Name of the super app, as in customerBelongsTo."""
    languages: tuple[Language, ...] = ()
    """Most preferred first."""
    optedOut: frozenset[Channel] = frozenset()  # noqa: N815
    timeZone: Annotated[str, _reads(known_time_zone)] | None = None  # noqa: N815
    quietHours: Annotated[QuietHours, _reads(QuietHours.parse)] | None = None  # noqa: N815
    """Hours of the user's day such as 22:00-07:00."""
    scopes: frozenset[Id64] = frozenset({SEND_SCOPE})
    expiresAt: Annotated[int, _reads(moment)] | None = None  # noqa: N815
    """A time as ISO 8601 with offset or milliseconds since 1970; absent: never."""
    expiresIn: Annotated[int, _reads(duration)] | None = None  # noqa: N815
    """A duration such as 30d, from the moment that the token is put; absent: never."""

    @model_validator(mode="after")
    def _expires_once(self) -> "TokenLine":
        if self.expiresAt is not None and self.expiresIn is not None:
            raise PydanticCustomError("expires_twice", "expiresAt and expiresIn: give one of them")
        return self

    @model_validator(mode="after")
    def _quiet_somewhere(self) -> "TokenLine":
        if self.quietHours is not None and self.timeZone is None:
            raise PydanticCustomError("quiet_nowhere", "quietHours: timeZone is required with them")
        return self

    def grant(self, now: int) -> TokenGrant:
        """Return what the token grants; `now` is in milliseconds since 1970."""
        user = User(self.customerId, self.wallet, self.languages, self.optedOut, self.timeZone, self.quietHours)
        expires_at = self.expiresAt if self.expiresIn is None else now + self.expiresIn
        return TokenGrant(user, self.appId, self.scopes, expires_at)


def read_line(line: bytes) -> TokenLine:
    """Return the token of a line of JSON; raise ContractViolationError, which names fields and never values."""
    return parse(TokenLine, line)


def read_options(given: dict[str, Any]) -> TokenLine:
    """Return the token that options describe; raise ArgumentError, which names options and never values.

    Args:
        given: values by field of `TokenLine`; None and empty ones were not given.

    """
    try:
        return parse(TokenLine, orjson.dumps({field: value for field, value in given.items() if value}))
    except ContractViolationError as violation:
        raise ArgumentError("; ".join(map(_as_option, violation.faults))) from None


def _as_option(fault: str) -> str:
    told = _FIELD.sub(lambda field: _OPTIONS[field[1]], fault, count=1)
    for field in ("expiresAt", "expiresIn", "quietHours", "timeZone"):
        told = told.replace(field, _OPTIONS[field])
    return told.removeprefix("$: ")
