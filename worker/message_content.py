"""The messageContent of one channel in one language (CONTRACT R63, R67): texts filled, shaped as the wallet wants it.

Links (R5): a template either shows the send's redirectUrl everywhere, or takes its links from parameters:

    pushContentUrl  required with PUSH: its linkUrl
    bodyUrl         required with INBOX: the body's target
    headerLink      optional: the header's target, else bodyUrl
    firstLinkUrl    optional: no place in R67; a text that shows it says `${firstLinkUrl}` and so requires it
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple, TypeAlias, assert_never

import orjson

from worker.contract.errors import TidingsError
from worker.contract.messages import Channel
from worker.contract.templates import BodyFormat, Content, LinkSource, TemplateVersion
from worker.placeholders import CompiledText, compile_text

LINK_PARAMETERS = frozenset({"pushContentUrl", "headerLink", "bodyUrl", "firstLinkUrl"})

_REQUIRED_LINK = {Channel.PUSH: "pushContentUrl", Channel.INBOX: "bodyUrl"}
_HEADER_LINK = "headerLink"

_FindLink: TypeAlias = Callable[[Mapping[str, str], str], str]
"""Parameters and the send's redirectUrl in, a link out; raises KeyError naming a parameter that is not there."""
_Shape: TypeAlias = Callable[[str, str, Mapping[str, str], str], dict[str, Any]]
"""Title, body, parameters and the send's redirectUrl in, the messageContent out."""


class RenderingError(TidingsError):
    """A message can't be rendered. The text names channel, field and length, never what the message says."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """The most characters that a rendered message may have (R63, R66)."""

    push_title: int = 128
    push_body: int = 1024
    inbox_title: int = 256
    inbox_body: int = 4096
    content: int = 4096
    """The whole messageContent as JSON text, whatever the channel."""


class Length(NamedTuple):
    """How long one part of a message is."""

    characters: int
    most: int


@dataclass(frozen=True, slots=True)
class ChannelContent:
    """One channel of one language, compiled."""

    channel: Channel
    required: frozenset[str]
    """Parameters that its texts and links need."""
    target: _FindLink
    """Where a click on the message leads: the wallet's redirectUrl (R66)."""
    _title: CompiledText
    _body: CompiledText
    _title_limit: int
    _body_limit: int
    _content_limit: int
    _shape: _Shape

    def render(self, parameters: Mapping[str, str], link: str) -> str:
        """Return the messageContent as JSON text.

        Raises RenderingError over a limit, KeyError naming a parameter that is not there.
        """
        title = self._title.fill(parameters)
        if len(title) > self._title_limit:
            raise self._too_long("title", title, self._title_limit)
        body = self._body.fill(parameters)
        if len(body) > self._body_limit:
            raise self._too_long("body", body, self._body_limit)
        content = orjson.dumps(self._shape(title, body, parameters, link)).decode()
        if len(content) > self._content_limit:
            raise self._too_long("messageContent", content, self._content_limit)
        return content

    def lengths(self, parameters: Mapping[str, str], link: str) -> dict[str, Length]:
        """Return how long title, body and messageContent are, be it too long; raises KeyError as `render` does."""
        title, body = self._title.fill(parameters), self._body.fill(parameters)
        content = orjson.dumps(self._shape(title, body, parameters, link)).decode()
        return {
            "title": Length(len(title), self._title_limit),
            "body": Length(len(body), self._body_limit),
            "messageContent": Length(len(content), self._content_limit),
        }

    def _too_long(self, field: str, text: str, limit: int) -> RenderingError:
        found = f"{self.channel} {field} has {len(text)} characters, at most {limit} are allowed"
        return RenderingError(f"{found}: shorten the template or its parameters")


def compile_content(
    template: TemplateVersion,
    channel: Channel,
    content: Content,
    limits: ChannelLimits,
) -> ChannelContent:
    """Return one channel of one language compiled, or raise PlaceholderError."""
    match channel:
        case Channel.PUSH:
            return _push(template, content, limits)
        case Channel.INBOX:
            return _inbox(template, content, limits)
        case _:
            assert_never(channel)


def _push(template: TemplateVersion, content: Content, limits: ChannelLimits) -> ChannelContent:
    title, body = compile_text(content.title), compile_text(content.body)
    target = _target(template.links, Channel.PUSH)
    return ChannelContent(
        Channel.PUSH,
        _required(template.links, Channel.PUSH, title, body),
        target,
        title,
        body,
        limits.push_title,
        limits.push_body,
        limits.content,
        _push_shape(target),
    )


def _inbox(template: TemplateVersion, content: Content, limits: ChannelLimits) -> ChannelContent:
    # A title is plain text in either format, so only an HTML body can be broken by a value (R63).
    title = compile_text(content.title)
    body = compile_text(content.body, escape if template.body_format is BodyFormat.HTML else None)
    target = _target(template.links, Channel.INBOX)
    return ChannelContent(
        Channel.INBOX,
        _required(template.links, Channel.INBOX, title, body),
        target,
        title,
        body,
        limits.inbox_title,
        limits.inbox_body,
        limits.content,
        _inbox_shape(template, target),
    )


def _required(links: LinkSource, channel: Channel, title: CompiledText, body: CompiledText) -> frozenset[str]:
    shown = title.names | body.names
    return shown if links is LinkSource.REQUEST else shown | {_REQUIRED_LINK[channel]}


def _target(links: LinkSource, channel: Channel) -> _FindLink:
    if links is LinkSource.REQUEST:
        return lambda _, link: link
    name = _REQUIRED_LINK[channel]
    return lambda parameters, _: parameters[name]


def _push_shape(target: _FindLink) -> _Shape:
    return lambda title, body, parameters, link: {
        "title": title,
        "content": body,
        "linkUrl": target(parameters, link),
    }


def _inbox_shape(template: TemplateVersion, target: _FindLink) -> _Shape:
    icon, name = template.app_icon, template.app_name
    header_link = target if template.links is LinkSource.REQUEST else _header_link
    return lambda title, body, parameters, link: {
        "header": {"appIcon": icon, "appName": name, "target": {"path": header_link(parameters, link)}},
        "body": {"title": title, "content": body, "target": {"path": target(parameters, link)}},
    }


def _header_link(parameters: Mapping[str, str], _: str) -> str:
    return parameters.get(_HEADER_LINK) or parameters[_REQUIRED_LINK[Channel.INBOX]]
