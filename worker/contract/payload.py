"""What a worker needs to deliver a message, kept beside its record until it is delivered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias, final

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


@final
@dataclass(init=False)
class Payload:
    """Everything that a delivery says. Holds a user's texts: never logged, never put on the broker."""

    customer_id: Final[str]
    wallet: Final[str]
    template_code: Final[str]
    template_version: Final[int]
    language: Final[str]
    parameters: Final[Mapping[str, str]]
    redirect_url: Final[str]
    extend_info: Final[str | None]
    quiet: Final[Quiet | None]
    """When the user wants no PUSH; None: never."""

    def __init__(  # noqa: PLR0913, PLR0917 - its fields, in their order
        self,
        customer_id: str,
        wallet: str,
        template_code: str,
        template_version: int,
        language: str,
        parameters: Mapping[str, str],
        redirect_url: str,
        extend_info: str | None,
        quiet: Quiet | None = None,
    ) -> None:
        """Keep its fields; written out as in `worker.contract.messages.NewMessage`."""
        self.customer_id = customer_id
        self.wallet = wallet
        self.template_code = template_code
        self.template_version = template_version
        self.language = language
        self.parameters = parameters
        self.redirect_url = redirect_url
        self.extend_info = extend_info
        self.quiet = quiet

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
        fields = (
            self.customer_id,
            self.wallet,
            self.template_code,
            self.template_version,
            self.language,
            self.parameters,
            self.redirect_url,
            self.extend_info,
        )
        quiet = self.quiet
        if quiet is None:
            return orjson.dumps(fields)
        return orjson.dumps((*fields, (*quiet.hours, quiet.time_zone)))

    @classmethod
    def unpack(cls, packed: bytes) -> "Payload":
        """Return the payload that `pack` wrote.

        Raises ValueError for anything else; its text holds what was read, so it must not be logged.
        """
        if packed.endswith(b"]]"):
            known: _FieldsAndQuiet = _FIELDS_AND_QUIET.validate_json(packed, strict=True)
            start, end, time_zone = known[8]
            return cls(*known[:8], Quiet(QuietHours(start, end), time_zone))
        customer_id, wallet, template_code, version, language, parameters, redirect_url, extend_info = _read(packed)
        return Payload(customer_id, wallet, template_code, version, language, parameters, redirect_url, extend_info)


def _read(packed: bytes) -> _Fields:
    fields: _Fields = _FIELDS.validate_json(packed, strict=True)
    return fields
