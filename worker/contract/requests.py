"""Requests of the API, validated on the raw bytes (CONTRACT R1-R15, R72).

A violation names each faulty field by its JSON path and the rule it breaks, never the value that broke it.
"""

import json
from functools import cache, lru_cache
from typing import Annotated, Any, Literal, TypeVar, cast

import langcodes
from langcodes.tag_parser import LanguageTagError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError, SchemaValidator

from worker.contract.errors import TidingsError
from worker.contract.faults import fault
from worker.contract.timing import Moment

LARGEST_SEND = 64 * 1024
"""Bytes of one send (R15)."""
MAX_TEMPLATES = 5
MAX_INQUIRIES = 10_000
MAX_SENDS = 500
"""Sends of one batchSend."""
_LONGEST_EXTEND_INFO = 4096

Id64 = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^@#?\s\p{Cc}]+$")]
AppId = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[^@#?\s\p{Cc}]+$")]
Token = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^@#?\s\p{Cc}]+$")]
Url = Annotated[str, Field(max_length=2048)]
_ExtendInfo = Annotated[str, Field(max_length=_LONGEST_EXTEND_INFO)]


class ContractViolationError(TidingsError):
    """A request breaks the contract; `faults` are texts such as `$.appId: is required`."""

    def __init__(self, faults: list[str]) -> None:
        """Keep all faults; the error's text is all of them."""
        super().__init__("; ".join(faults))
        self.faults = faults


@lru_cache(maxsize=4096)
def normal_language(tag: str) -> str:
    """Return a BCP 47 tag in its standard spelling (`en_us` gives `en-US`, R8).

    Raises PydanticCustomError when the tag is malformed.
    """
    try:
        return langcodes.standardize_tag(tag)
    except LanguageTagError:
        raise PydanticCustomError("language", "is not a BCP 47 language tag") from None


# What a million sends go through are dataclasses: pydantic makes them, and Python reads them, in less time than models.
# A `Field` says kw_only once more, or else its field is judged before all others and its faults are told first.
@dataclass(frozen=True, slots=True, kw_only=True)
class ContentTemplate:
    """One entry of `templates`: the parameters of one language (R8, R9)."""

    language: Annotated[str, Field(max_length=64), AfterValidator(normal_language)] | None = None
    templateParameters: dict[str, str] | None = Field(default=None, repr=False, kw_only=True)  # noqa: N815 - the API's own spelling

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters, empty when none were sent."""
        return self.templateParameters or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """The body of `POST /v2/miniprogram/message/send` (R1-R14). Unknown fields are ignored (R13)."""

    appId: AppId  # noqa: N815
    accessToken: Token = Field(repr=False, kw_only=True)  # noqa: N815
    requestId: Id64  # noqa: N815
    templateCode: Id64  # noqa: N815
    redirectUrl: Url | None = Field(default=None, repr=False, kw_only=True)  # noqa: N815
    actionUrl: Url | None = Field(default=None, repr=False, kw_only=True)  # noqa: N815
    templates: Annotated[list[ContentTemplate], Field(min_length=1, max_length=MAX_TEMPLATES)]
    extendInfo: _ExtendInfo | None = Field(default=None, repr=False, kw_only=True)  # noqa: N815
    customerBelongsTo: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # noqa: N815
    sendAt: Moment | None = None  # noqa: N815
    """When to send it; an extension of ours, as the next."""
    expireAt: Moment | None = None  # noqa: N815

    @model_validator(mode="after")
    def _one_entry_a_language(self) -> "SendRequest":
        entries = self.templates
        if len(entries) > 1:
            seen: dict[str | None, int] = {}
            for index, entry in enumerate(entries):
                first = seen.setdefault(entry.language, index)
                if first != index:
                    raise PydanticCustomError(
                        "language_twice",
                        "templates[{first}] and templates[{second}] have the same language",
                        {"first": first, "second": index},
                    )
        return self


def _object_as_text(value: object) -> object:
    if not isinstance(value, dict):
        return value
    try:
        # Sorted, as the order of keys does not matter (R53); not by orjson, which refuses numbers beyond 64 bits.
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    except ValueError:
        raise PydanticCustomError("not_json", "must hold nothing but JSON") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class LenientSendRequest(SendRequest):
    """A send whose extendInfo may also be an object, where a setting allows that (R10)."""

    extendInfo: Annotated[_ExtendInfo, BeforeValidator(_object_as_text)] | None = Field(  # noqa: N815
        default=None, repr=False, kw_only=True
    )


def _of_bounded_length(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST_EXTEND_INFO:
        raise PydanticCustomError("string_too_long", "is too long", {"max_length": _LONGEST_EXTEND_INFO})
    return value


class SendDefaults(BaseModel):
    """What the sends of a batch have in common; a send that has a field itself keeps its own, whole."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId | None = None  # noqa: N815
    templateCode: Id64 | None = None  # noqa: N815
    redirectUrl: Url | None = Field(default=None, repr=False)  # noqa: N815
    actionUrl: Url | None = Field(default=None, repr=False)  # noqa: N815
    templates: Annotated[list[ContentTemplate], Field(min_length=1, max_length=MAX_TEMPLATES)] | None = None
    extendInfo: Annotated[  # noqa: N815
        Any, AfterValidator(_of_bounded_length), WithJsonSchema({"type": "string", "maxLength": _LONGEST_EXTEND_INFO})
    ] = Field(default=None, repr=False)
    """What is no string is judged with each send, as a setting says what it may be (R10)."""
    customerBelongsTo: Annotated[str, Field(min_length=1, max_length=64)] | None = None  # noqa: N815
    sendAt: Moment | None = None  # noqa: N815
    expireAt: Moment | None = None  # noqa: N815


_SENDS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_SENDS,
    "items": {"type": "object"},
    "description": "Each as the body of `send`, without the fields that the batch has for all.",
}


class BatchSend(SendDefaults):
    """The body of `POST .../batchSend`: up to 500 sends. Each is judged by itself, so that no bad one stops another."""

    atomic: StrictBool = False
    """Whether either all are taken, or none."""
    sends: Annotated[
        list[Any],
        Field(min_length=1, max_length=MAX_SENDS, repr=False),
        WithJsonSchema(_SENDS_SCHEMA),
    ]


class Inquiry(BaseModel):
    """The body of `POST .../inquiry`: one message, by (appId, requestId) or by messageId (R70)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId | None = None  # noqa: N815
    requestId: Id64 | None = None  # noqa: N815
    messageId: Id64 | None = None  # noqa: N815

    @model_validator(mode="after")
    def _names_one_message(self) -> "Inquiry":
        if self.messageId is None and (self.appId is None or self.requestId is None):
            raise PydanticCustomError("inquiry", "appId with requestId, or messageId, is required")
        return self


class BatchInquiry(BaseModel):
    """The body of `POST .../batchInquiry`: up to 10,000 requestIds of one appId (R72)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId  # noqa: N815
    requestIds: Annotated[list[Id64], Field(min_length=1, max_length=MAX_INQUIRIES)]  # noqa: N815


class Expectation(BaseModel):
    """What a merchant's own books say of one requestId."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    requestId: Id64  # noqa: N815
    status: Literal["S", "U", "F", "NEVER_SEEN"] | None = None
    """None: it was taken, whatever became of it."""


class Reconciliation(BaseModel):
    """The body of `POST .../reconcile`: a merchant's books of up to 10,000 messages of one appId."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId  # noqa: N815
    messages: Annotated[list[Expectation], Field(min_length=1, max_length=MAX_INQUIRIES)]


Request = TypeVar("Request")


@cache
def _validator(model: type[object]) -> SchemaValidator:
    return cast("SchemaValidator", TypeAdapter(model).validator)  # what a plugin puts there has its methods too


def parse(model: type[Request], body: bytes) -> Request:
    """Return the request in a JSON body, or raise ContractViolationError naming every faulty field.

    The model may be a dataclass of pydantic's too.
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
