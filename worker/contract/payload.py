"""What a worker needs to deliver a message, kept beside its record until it is delivered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import orjson
from pydantic import TypeAdapter
from typing_extensions import override

from worker.contract.quiet_hours import QuietHours
from worker.contract.reprs import repr_without

_Fields: TypeAlias = tuple[str, str, str, int, str, dict[str, str], str, str | None]
"""Those of a payload, in their order."""
_FieldsAndQuiet: TypeAlias = tuple[str, str, str, int, str, dict[str, str], str, str | None, tuple[int, int, str]]
"""The same with the user's quiet hours, where there are any."""
_FIELDS = TypeAdapter(_Fields).validator
_FIELDS_AND_QUIET = TypeAdapter(_FieldsAndQuiet).validator


@dataclass(frozen=True, slots=True)
class MaskedPayload:
    """What people may see of a payload: names and sizes, never a user's id or texts."""

    wallet: str
    language: str
    parameters: tuple[str, ...]
    """Names of the template parameters, sorted."""
    has_redirect_url: bool
    has_extend_info: bool
    size: int
    """Bytes as stored."""


class Quiet(NamedTuple):
    """A user's quiet hours, in the time zone that they are meant in."""

    hours: QuietHours
    time_zone: str
    """A name of the IANA database."""


class Payload(NamedTuple):
    """Everything that a delivery says. Holds a user's texts: never logged, never put on the broker."""

    customer_id: str
    wallet: str
    template_code: str
    template_version: int
    language: str
    parameters: Mapping[str, str]
    redirect_url: str
    extend_info: str | None
    quiet: Quiet | None = None
    """When the user wants no PUSH; None: never."""

    @override
    def __repr__(self) -> str:
        return repr_without(self, "customer_id", "parameters", "redirect_url", "extend_info")

    def masked(self) -> MaskedPayload:
        """Return what people may see of it."""
        return MaskedPayload(
            wallet=self.wallet,
            language=self.language,
            parameters=tuple(sorted(self.parameters)),
            has_redirect_url=bool(self.redirect_url),
            has_extend_info=self.extend_info is not None,
            size=len(self.pack()),
        )

    def pack(self) -> bytes:
        """Return the bytes that the ledger keeps: a JSON array in the order of the fields."""
        return packed(*self)

    @classmethod
    def unpack(cls, packed: bytes) -> "Payload":
        """Return the payload that `pack` wrote.

        Raises ValueError for anything else; its text holds what was read, so it must not be logged.
        """
        if packed.endswith(b"]]"):
            known: _FieldsAndQuiet = _FIELDS_AND_QUIET.validate_json(packed, strict=True)
            start, end, time_zone = known[8]
            return cls(*known[:8], Quiet(QuietHours(start, end), time_zone))
        fields: _Fields = _FIELDS.validate_json(packed, strict=True)
        return cls(*fields)


def packed(  # noqa: PLR0913, PLR0917 - a payload's own fields, in their order
    customer_id: str,
    wallet: str,
    template_code: str,
    template_version: int,
    language: str,
    parameters: Mapping[str, str],
    redirect_url: str,
    extend_info: str | None,
    quiet: Quiet | None = None,
) -> bytes:
    """Return what `Payload.pack` does, for who has no use for the payload itself: there is one for each send."""
    fields = (
        customer_id,
        wallet,
        template_code,
        template_version,
        language,
        parameters,
        redirect_url,
        extend_info,
    )
    if quiet is None:
        return orjson.dumps(fields)
    return orjson.dumps((*fields, (*quiet.hours, quiet.time_zone)))
