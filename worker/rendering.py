"""A template version, a send's parameters and a user's languages in; each channel's messageContent out. Pure.

A version is compiled once; a message then costs a few dict look-ups, two `%` fills and one JSON dump a channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import orjson
from typing_extensions import override

from worker.contract.errors import ContractViolationError, TidingsError
from worker.contract.faults import json_path
from worker.contract.messages import Channel
from worker.contract.reprs import repr_without
from worker.contract.send_request import ContentTemplate
from worker.contract.templates import LinkSource, TemplateVersion
from worker.languages import Why, candidates, choose_language
from worker.message_content import (
    LINK_PARAMETERS,
    ChannelContent,
    ChannelLimits,
    Length,
    RenderingError,
    compile_content,
)
from worker.placeholders import faults_of
from worker.recent import Recent


class TemplateSyntaxError(TidingsError):
    """A template version can't be compiled; the text names language, channel, field and position of every fault."""

    def __init__(self, code: str, faults: list[str]) -> None:
        """Keep all faults; the error's text is all of them."""
        super().__init__(f"template {code}: " + "; ".join(faults))
        self.faults = faults


@final
@dataclass(init=False)
class Choice:
    """The language that a user gets, and the parameters for it."""

    language: Final[str]
    """A language of the template."""
    parameters: Final[Mapping[str, str]]
    entry: Final[int]
    """Index of the entry of the send's `templates` they come from."""
    why: Final[Why]

    def __init__(self, language: str, parameters: Mapping[str, str], entry: int, why: Why) -> None:
        """Keep what was chosen; written out as in `worker.contract.messages.NewMessage`."""
        self.language = language
        self.parameters = parameters
        self.entry = entry
        self.why = why

    @override
    def __repr__(self) -> str:
        return repr_without(self, "parameters")


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template version ready to render; made by `compile_template`."""

    version: TemplateVersion
    languages: tuple[str, ...]
    """The languages it has, its default first."""
    _required: Mapping[str, frozenset[str]]
    _contents: Mapping[tuple[str, Channel], ChannelContent]

    @property
    def needs_link(self) -> bool:
        """Whether a send must bring a redirectUrl (R5)."""
        return self.version.links is LinkSource.REQUEST

    def required(self, language: str) -> frozenset[str]:
        """Return the parameters that all channels together need in a language of the template (R9)."""
        return self._required[language]

    def required_on(self, language: str, channel: Channel) -> frozenset[str]:
        """Return the parameters that one channel needs in a language of the template."""
        return self._contents[language, channel].required

    def offered(self, entries: Sequence[ContentTemplate]) -> Mapping[str, int]:
        """Return the languages that a send may be shown in, each with the index of its entry.

        Where no entry has a language of the template it is the default alone, with the first entry (R62).
        """
        return candidates(self.languages, _sent(entries)) or {self.languages[0]: 0}

    def lacking(self, language: str, entry: ContentTemplate) -> tuple[str, ...]:
        """Return the parameters that an entry lacks for a language of the template, sorted."""
        return tuple(sorted(self._required[language].difference(entry.parameters)))

    def choose(self, entries: Sequence[ContentTemplate], preferred: Sequence[str]) -> Choice:
        """Return what a user with these preferred languages gets (R62); how tags match: see `worker.languages`.

        Raises ContractViolationError when no entry has a language of the template and the first entry's parameters
        don't fit its default. Whether the other entries fit is for `missing` to say.
        """
        chosen = choose_language(self.languages, _sent(entries), tuple(preferred))
        if chosen is None:
            return self._default(entries[0].parameters)
        return Choice(chosen.language, entries[chosen.entry].parameters, chosen.entry, chosen.why)

    def fits(self, entries: Sequence[ContentTemplate]) -> bool:
        """Say whether nothing is missing and nothing superfluous: the usual send has one entry with what it needs."""
        entry = entries[0]
        required = self._required.get(entry.language or self.languages[0])
        return len(entries) == 1 and required is not None and entry.parameters.keys() == required

    def missing(self, entries: Sequence[ContentTemplate]) -> list[str]:
        """Return a fault for each parameter that an entry of a language of the template lacks (R9)."""
        return [
            fault
            for language, index in candidates(self.languages, _sent(entries)).items()
            for fault in self._lacking(language, index, entries[index].parameters)
        ]

    def superfluous(self, entries: Sequence[ContentTemplate]) -> list[str]:
        """Return a remark for each entry and each parameter that the template has no use for (R9, the send's lint)."""
        languages = {index: language for language, index in self.offered(entries).items()}
        return [
            remark for index, entry in enumerate(entries) for remark in self._unused(languages.get(index), index, entry)
        ]

    def render(self, channel: Channel, language: str, parameters: Mapping[str, str], link: str) -> str:
        """Return the messageContent of one channel: JSON text (R61, R63, R67).

        Args:
            channel: one of the template's channels.
            language: a language of the template, as `choose` returned it.
            parameters: its parameters.
            link: the send's redirectUrl; unused where the template takes its links from parameters.

        Raises:
            RenderingError: over a limit, or the template or the parameters lack something that intake saw to.

        """
        try:
            return self._contents[language, channel].render(parameters, link)
        except KeyError as lacking:
            raise RenderingError(f"{channel}: the template or the parameters lack {lacking}") from lacking
        except orjson.JSONEncodeError as error:
            raise RenderingError(f"{channel}: a text or a link is not valid Unicode") from error

    def lengths(
        self, channel: Channel, language: str, parameters: Mapping[str, str], link: str
    ) -> Mapping[str, Length]:
        """Return how long each part of one channel would be; arguments and errors as of `render`, but for limits."""
        try:
            return self._contents[language, channel].lengths(parameters, link)
        except orjson.JSONEncodeError as error:
            raise RenderingError(f"{channel}: a text or a link is not valid Unicode") from error

    def target(self, channel: Channel, language: str, parameters: Mapping[str, str], link: str) -> str:
        """Return where a click on a channel's message leads, the wallet's redirectUrl (R66); arguments as `render`."""
        return self._contents[language, channel].target(parameters, link)

    def _default(self, parameters: Mapping[str, str]) -> Choice:
        faults = self._lacking(self.languages[0], 0, parameters)
        if faults:
            raise ContractViolationError(faults)
        return Choice(self.languages[0], parameters, 0, Why.NONE_SENT)

    def _lacking(self, language: str, index: int, parameters: Mapping[str, str]) -> list[str]:
        lacking = self._required[language].difference(parameters)
        return [f"{_path(index, name)}: is required by the template" for name in sorted(lacking)]

    def _unused(self, language: str | None, index: int, entry: ContentTemplate) -> Iterator[str]:
        if language is None:
            yield f"$.templates[{index}]: is not used: the template lacks its language, or another entry is closer"
            return
        known = self._required[language] if self.needs_link else self._required[language] | LINK_PARAMETERS
        for name in sorted(entry.parameters.keys() - known):
            yield f"{_path(index, name)}: is not used by the template"


class CompiledTemplates:
    """Compiles each template version once and remembers those used last."""

    def __init__(self, limits: ChannelLimits, size: int = 1024) -> None:
        """Keep at most `size` compiled versions."""
        self._limits = limits
        self._compiled: Recent[tuple[str, int], CompiledTemplate] = Recent(size)

    def of(self, version: TemplateVersion) -> CompiledTemplate:
        """Return a version compiled, or raise TemplateSyntaxError."""
        key = (version.code, version.version)
        known = self._compiled.get(key)
        # A number comes back with another content when the store was emptied.
        if known is None or (known.version is not version and known.version != version):
            known = compile_template(version, self._limits)
            self._compiled.keep(key, known)
        return known


def compile_template(version: TemplateVersion, limits: ChannelLimits | None = None) -> CompiledTemplate:
    """Return a version compiled, or raise TemplateSyntaxError with every fault of all its texts (R61)."""
    faults = list(_faults(version))
    if faults:
        raise TemplateSyntaxError(version.code, faults)
    languages = tuple(dict.fromkeys((version.default_language, *version.contents)))
    contents = {
        (language, channel): compile_content(version, channel, texts[channel], limits or ChannelLimits())
        for language, texts in version.contents.items()
        for channel in version.channels
    }
    return CompiledTemplate(version, languages, _required(languages, contents), contents)


def _faults(version: TemplateVersion) -> Iterator[str]:
    for language, contents in version.contents.items():
        for channel, content in contents.items():
            for field, text in (("title", content.title), ("body", content.body)):
                for fault in faults_of(text):
                    yield f"{language} {channel} {field}, character {fault.position + 1}: {fault.reason}"


def _required(
    languages: Sequence[str],
    contents: Mapping[tuple[str, Channel], ChannelContent],
) -> dict[str, frozenset[str]]:
    return {
        language: frozenset().union(*(content.required for (of, _), content in contents.items() if of == language))
        for language in languages
    }


def _sent(entries: Sequence[ContentTemplate]) -> tuple[str | None, ...]:
    return tuple([entry.language for entry in entries])


def _path(index: int, name: str) -> str:
    return json_path(("templates", index, "templateParameters", name))
