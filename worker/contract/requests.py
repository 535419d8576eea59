"""Requests of the API beside the send itself: batches, look-ups, books (CONTRACT R15, R70-R72)."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.field_types import LONGEST_EXTEND_INFO, AppId, Id64, Url, WalletName
from worker.contract.send_fields import MAX_TEMPLATES, ContentTemplate
from worker.contract.timing import Moment

MAX_INQUIRIES = 10_000
MAX_SENDS = 500
"""Sends of one batchSend."""


def _of_bounded_length(value: object) -> object:
    if isinstance(value, str) and len(value) > LONGEST_EXTEND_INFO:
        raise PydanticCustomError("string_too_long", "is too long", {"max_length": LONGEST_EXTEND_INFO})
    return value


class SendDefaults(BaseModel):
    """What the sends of a batch have in common; a send that has a field itself keeps its own, whole."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    appId: AppId | None = None  # noqa: N815
    templateCode: Id64 | None = None  # noqa: N815
    redirectUrl: Url | None = Field(default=None, repr=False)  # noqa: N815
    actionUrl: Url | None = Field(default=None, repr=False)  # noqa: N815
    templates: Annotated[list[ContentTemplate], Field(min_length=1, max_length=MAX_TEMPLATES)] | None = Field(
        default=None, repr=False
    )
    extendInfo: Annotated[  # noqa: N815
        Any, AfterValidator(_of_bounded_length), WithJsonSchema({"type": "string", "maxLength": LONGEST_EXTEND_INFO})
    ] = Field(default=None, repr=False)
    """What is no string is judged with each send, as a setting says what it may be (R10)."""
    customerBelongsTo: WalletName | None = None  # noqa: N815
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
