"""Message templates as merchants configure them (CONTRACT R60)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from worker.contract.field_types import Id64, Language
from worker.contract.messages import Channel

Text: TypeAlias = Annotated[str, Field(min_length=1)]


class BodyFormat(StrEnum):
    """How an INBOX body is shown; PUSH is always text (R63)."""

    TEXT = "text"
    HTML = "html"


class LinkSource(StrEnum):
    """Where a message's links come from (R5)."""

    REQUEST = "request"
    """redirectUrl of the send, required then."""
    PARAMETERS = "parameters"
    """Template parameters of newer editions: pushContentUrl, headerLink, bodyUrl, firstLinkUrl."""


class Content(BaseModel):
    """What one channel shows in one language. `${name}` is replaced, `$$` is a dollar sign."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text
    body: Text


class TemplateDefinition(BaseModel):
    """A template as somebody wrote it, before it has a version.

    Every language holds the content of every channel, the default language is one of them (R60).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Id64
    channels: tuple[Channel, ...]
    default_language: Language
    contents: dict[Language, dict[Channel, Content]]
    """By language (standard BCP 47 spelling), then by channel."""
    body_format: BodyFormat = BodyFormat.TEXT
    links: LinkSource = LinkSource.REQUEST
    app_name: str = ""
    """Shown in an INBOX header (R67)."""
    app_icon: str = ""
    platform_template_code: str = ""
    """The wallet's own name of the template, for its extendInfo; empty: our code (R66)."""

    @model_validator(mode="after")
    def _is_whole(self) -> "TemplateDefinition":
        found = [gap.reason for gap in gaps(self.channels, self.default_language, self.contents)]
        if found:
            raise PydanticCustomError(GAPS, "{gaps}", {"gaps": "; ".join(found)})
        return self


class TemplateVersion(TemplateDefinition):
    """One immutable version of a template."""

    version: int


GAPS = "template_gaps"
"""The type of the pydantic error that stands for all gaps of a definition."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A part of a definition that contradicts another part."""

    location: tuple[str, ...]
    """Names from the definition down to the part."""
    reason: str


def gaps(channels: Sequence[str], default_language: str | None, contents: Mapping[str, Iterable[str]]) -> Iterator[Gap]:
    """Yield what is contradictory in a definition, be it otherwise valid or not.

    Args:
        channels: names of the channels.
        default_language: None when the definition has none: another fault, told elsewhere.
        contents: the channels that each language has contents for.

    """
    if not channels:
        yield Gap(("channels",), "channels: names no channel")
    if len(set(channels)) < len(channels):
        yield Gap(("channels",), "channels: names a channel twice")
    if default_language is not None and default_language not in contents:
        yield Gap(("default_language",), "default_language: contents lack this language")
    for language, given in contents.items():
        yield from _channel_gaps(language, list(given), channels)


def _channel_gaps(language: str, given: Sequence[str], channels: Sequence[str]) -> Iterator[Gap]:
    for channel in dict.fromkeys(channels):
        if channel not in given:
            yield Gap(("contents", language), f"contents.{language}: lacks the content of {channel}")
    for channel in given:
        if channel not in channels:
            reason = f"contents.{language}.{channel}: not among the template's channels"
            yield Gap(("contents", language, channel), reason)
