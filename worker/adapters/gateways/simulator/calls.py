"""The bodies of wallet calls, validated rule by rule (CONTRACT R65-R67)."""

from typing import Annotated, Any, NotRequired, assert_never

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from worker.contract.messages import Channel
from worker.contract.requests import Id64, Url, parse

MAX_MESSAGES = 20
MAX_BODY = 2 * 1024 * 1024
"""Bytes: 20 messages at all their limits, in four-byte characters, with room to spare."""

CustomerId = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[^@#?\s\p{Cc}]+$")]
ContentText = Annotated[str, Field(max_length=4096)]
ExtendInfo = dict[str, Any] | Annotated[str, Field(max_length=4096)] | None


class Target(TypedDict, total=False):
    """Where a click leads."""

    path: str | None


class PushContent(TypedDict):
    """messageContent of a PUSH (R67); its title and content are what the user sees."""

    title: str
    content: str
    linkUrl: NotRequired[str | None]


class InboxHeader(TypedDict, total=False):
    """Who speaks, above an INBOX message."""

    appIcon: str | None
    appName: str | None
    target: Target | None


class InboxBody(TypedDict):
    """What the user sees of an INBOX message."""

    title: str
    content: str
    target: NotRequired[Target | None]


class InboxContent(TypedDict):
    """messageContent of an INBOX message (R67)."""

    header: NotRequired[InboxHeader | None]
    body: InboxBody


_PUSH = TypeAdapter(PushContent)
_INBOX = TypeAdapter(InboxContent)
_CONTENT_RULES = {
    Channel.PUSH: "must be JSON text: an object with the strings title and content, perhaps linkUrl",
    Channel.INBOX: "must be JSON text: an object with body, which has the strings title and content, perhaps header",
}


def shown(channel: Channel, content: str) -> PushContent | InboxBody:
    """Return the part of a messageContent that holds title and content; raises ValidationError if R67 is broken."""
    match channel:
        case Channel.PUSH:
            return _PUSH.validate_json(content)
        case Channel.INBOX:
            return _INBOX.validate_json(content)["body"]
        case _:
            assert_never(channel)


class CallMessage(BaseModel):
    """One Message of a call (R66)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messageId: Id64  # noqa: N815
    customerId: CustomerId  # noqa: N815
    messageChannel: Channel  # noqa: N815
    templateCode: Id64  # noqa: N815
    messageContent: ContentText  # noqa: N815
    redirectUrl: Url | None = None  # noqa: N815
    extendInfo: ExtendInfo = None  # noqa: N815

    @field_validator("messageContent")
    @classmethod
    def _suits_its_channel(cls, content: str, info: ValidationInfo) -> str:
        channel = info.data.get("messageChannel")
        if channel is not None:  # an unknown channel is a fault of its own
            _check_content(channel, content)
        return content


class Call(BaseModel):
    """The body of `POST /v2/platform/message/send`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: Annotated[list[CallMessage], Field(min_length=1, max_length=MAX_MESSAGES)]


class InquiryCall(BaseModel):
    """The body of `POST /v2/platform/message/inquiry`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messageIds: Annotated[list[Id64], Field(min_length=1, max_length=MAX_MESSAGES)]  # noqa: N815


def parse_inquiry(body: bytes) -> list[str]:
    """Return the 1 to 20 messageIds of an inquiry, or raise ContractViolationError naming every fault."""
    return parse(InquiryCall, body).messageIds


def parse_call(body: bytes) -> list[CallMessage]:
    """Return the 1 to 20 messages of a call, or raise ContractViolationError naming every fault."""
    return parse(Call, body).messages


def _check_content(channel: Channel, content: str) -> None:
    try:
        shown(channel, content)
    except ValidationError:
        raise PydanticCustomError("message_content", _CONTENT_RULES[channel]) from None
