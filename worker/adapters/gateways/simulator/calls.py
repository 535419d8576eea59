"""The bodies of wallet calls, validated rule by rule (CONTRACT R65-R67)."""

from collections.abc import Callable
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from worker.contract.field_types import Id64, Url
from worker.contract.messages import Channel
from worker.contract.parsing import parse

MAX_MESSAGES = 20
MAX_BODY = 2 * 1024 * 1024
"""Bytes: 20 messages at all their limits, in four-byte characters, with room to spare."""

CustomerId = Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[^@#?\s\p{Cc}]+$")]
ContentText = Annotated[str, Field(max_length=4096)]
ExtendInfo = Annotated[
    dict[str, Any] | Annotated[str, Field(max_length=4096)] | None, Field(union_mode="left_to_right")
]


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


_CONTENT_RULES = {
    Channel.PUSH: "must be JSON text: an object with the strings title and content, perhaps linkUrl",
    Channel.INBOX: "must be JSON text: an object with body, which has the strings title and content, perhaps header",
}
# The validators themselves: one runs for each message, where a TypeAdapter's own method costs as much as the work.
_READERS: dict[Channel, Callable[[str], Any]] = {
    Channel.PUSH: TypeAdapter(PushContent).validator.validate_json,
    Channel.INBOX: TypeAdapter(InboxContent).validator.validate_json,
}


def shown(channel: Channel, content: str) -> PushContent | InboxBody:
    """Return the part of a messageContent that holds title and content; raises ValidationError if R67 is broken."""
    read = _READERS[channel](content)
    seen: PushContent | InboxBody = read["body"] if channel is Channel.INBOX else read
    return seen


def _suits_its_channel(content: str, info: ValidationInfo) -> str:
    channel = info.data.get("messageChannel")
    if channel is not None:  # an unknown channel is a fault of its own
        try:
            _READERS[channel](content)
        except ValidationError:
            raise PydanticCustomError("message_content", _CONTENT_RULES[channel]) from None
    return content


class _Fields(TypedDict):
    """What a Message has beside its content."""

    messageId: Id64
    customerId: CustomerId
    messageChannel: Channel
    templateCode: Id64
    redirectUrl: Annotated[Url | None, Field(default=None)]
    extendInfo: Annotated[ExtendInfo, Field(default=None)]


class CallMessage(_Fields):
    """One Message of a call (R66)."""

    messageContent: ContentText


class _JudgedMessage(_Fields):
    messageContent: Annotated[ContentText, AfterValidator(_suits_its_channel)]


class _Call(TypedDict):
    messages: Annotated[list[CallMessage], Field(min_length=1, max_length=MAX_MESSAGES)]


class _JudgedCall(BaseModel):
    """The body of `POST /v2/platform/message/send`, each messageContent judged with the message it is in."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messages: Annotated[list[_JudgedMessage], Field(min_length=1, max_length=MAX_MESSAGES)]


_read_call = TypeAdapter(_Call).validator.validate_json


class InquiryCall(BaseModel):
    """The body of `POST /v2/platform/message/inquiry`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    messageIds: Annotated[list[Id64], Field(min_length=1, max_length=MAX_MESSAGES)]  # noqa: N815


def parse_inquiry(body: bytes) -> list[str]:
    """Return the 1 to 20 messageIds of an inquiry, or raise ContractViolationError naming every fault."""
    return parse(InquiryCall, body).messageIds


def parse_call(body: bytes) -> list[CallMessage]:
    """Return the 1 to 20 messages of a call, or raise ContractViolationError naming every fault."""
    try:
        call: _Call = _read_call(body)
        for message in call["messages"]:
            _READERS[message["messageChannel"]](message["messageContent"])
    except ValidationError:
        return parse(_JudgedCall, body).messages  # slower, and names every fault
    return call["messages"]
