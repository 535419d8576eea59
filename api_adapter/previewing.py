"""What a template's channels show in each language that some parameters were given for. Pure: nothing is sent.

The texts are rendered by what renders them on delivery, so a preview is what a user would get.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from worker.contract.errors import ContractViolationError
from worker.contract.messages import Channel
from worker.contract.send_request import ContentTemplate
from worker.languages import Why
from worker.message_content import Length, RenderingError
from worker.rendering import Choice, CompiledTemplate

Json = dict[str, Any]

REASONS = {
    Why.PREFERRED: "it is closest to what the user prefers",
    Why.DEFAULT: "none that was sent is one the user prefers; this is the template's default",
    Why.FIRST: "neither one that the user prefers nor the template's default was sent; this was sent first",
    Why.NONE_SENT: "none that was sent is a language of the template; this is its default, with the first parameters",
}
"""Why a user gets a language (R62), for people."""


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel in one language."""

    channel: Channel
    content: Json = field(repr=False)
    """The messageContent (R67); empty where it can't be rendered."""
    lengths: Mapping[str, Length]
    fault: str
    """Why the gateway would never get it, such as a length; empty: it would."""

    @property
    def title(self) -> str:
        """The title, as it is shown."""
        return str(self._texts.get("title", ""))

    @property
    def body(self) -> str:
        """The text, as it is shown."""
        return str(self._texts.get("content", ""))

    @property
    def link(self) -> str:
        """Where a click on it leads."""
        if self.channel is Channel.PUSH:
            return str(self.content.get("linkUrl", ""))
        return str(self._texts.get("target", {}).get("path", ""))

    @property
    def _texts(self) -> Json:
        texts: Json = self.content if self.channel is Channel.PUSH else self.content.get("body", {})
        return texts


@dataclass(frozen=True, slots=True)
class LanguageView:
    """All channels in one language."""

    language: str
    """A language of the template."""
    entry: int
    """Index of the entry that has its parameters."""
    missing: tuple[str, ...]
    """Parameters that the entry lacks; with any of them nothing is shown."""
    channels: tuple[ChannelView, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A send's parameters with its template: rendered when somebody looks."""

    template: CompiledTemplate
    entries: Sequence[ContentTemplate]
    link: str = field(repr=False)

    @property
    def views(self) -> tuple[LanguageView, ...]:
        """Every language that the send may be shown in."""
        return views(self.template, self.entries, self.link)

    def faults(self, choice: Choice, channels: Collection[Channel]) -> tuple[str, ...]:
        """Return why some of these channels would never reach their gateway in the language that the user gets."""
        told = (self._fault(choice, channel) for channel in channels)
        return tuple(fault for fault in told if fault)

    def _fault(self, choice: Choice, channel: Channel) -> str:
        try:
            self.template.render(channel, choice.language, choice.parameters, self.link)
        except RenderingError as error:
            return str(error)
        return ""


def views(template: CompiledTemplate, entries: Sequence[ContentTemplate], link: str) -> tuple[LanguageView, ...]:
    """Return every language that a send with these entries may be shown in, in the order of its entries."""
    return tuple(
        _language(template, language, index, entries[index], link)
        for language, index in template.offered(entries).items()
    )


def chosen(template: CompiledTemplate, entries: Sequence[ContentTemplate], preferred: Sequence[str]) -> Choice | None:
    """Return which language a user with these preferences gets; None where it lacks parameters."""
    try:
        return template.choose(entries, preferred)
    except ContractViolationError:
        return None


def _language(
    template: CompiledTemplate,
    language: str,
    index: int,
    entry: ContentTemplate,
    link: str,
) -> LanguageView:
    missing = template.lacking(language, entry)
    channels = () if missing else tuple(_channels(template, language, entry.parameters, link))
    return LanguageView(language, index, missing, channels)


def _channels(
    template: CompiledTemplate,
    language: str,
    parameters: Mapping[str, str],
    link: str,
) -> Iterator[ChannelView]:
    for channel in template.version.channels:
        lengths: Mapping[str, Length] = {}
        try:
            lengths = template.lengths(channel, language, parameters, link)
            content = orjson.loads(template.render(channel, language, parameters, link))
        except RenderingError as error:
            yield ChannelView(channel, {}, lengths, str(error))
        else:
            yield ChannelView(channel, content, lengths, "")


def view_json(view: LanguageView) -> Json:
    """Return one language as the API shows it."""
    return {
        "language": view.language,
        "entry": view.entry,
        "missing": list(view.missing),
        "channels": [
            {
                "channel": channel.channel,
                "content": channel.content or None,
                "lengths": {
                    part: {"characters": length.characters, "most": length.most}
                    for part, length in channel.lengths.items()
                },
                "fault": channel.fault or None,
            }
            for channel in view.channels
        ],
    }


def choice_json(choice: Choice | None) -> Json | None:
    """Return which language a user gets and why, as the API shows it."""
    if choice is None:
        return None
    return {"language": choice.language, "entry": choice.entry, "why": choice.why, "reason": REASONS[choice.why]}
