"""What is suspicious about a template that is valid: what its languages and channels lack of each other, and lengths.

What is not valid is told when the file is read (`template_files`). Pure.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from typing_extensions import override

from worker.contract.messages import Channel
from worker.contract.templates import BodyFormat, TemplateDefinition, TemplateVersion
from worker.languages import closest
from worker.message_content import LINK_PARAMETERS, RenderingError
from worker.placeholders import compile_text
from worker.rendering import CompiledTemplate, compile_template

LONGEST = 40
"""Characters of a value that is taken for long: most names, shops and amounts have fewer."""
_LINK = "/pages/" + "x" * 250
_HTML = re.compile(r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>|&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z]{2,8});")
_WORD = re.compile(r"[^\W\d_]{2}")


class Grade(StrEnum):
    """How bad a remark is."""

    ERROR = "error"
    """It can't be sent as it is, whatever is sent."""
    WARNING = "warning"
    """Some sends will fail or look wrong."""
    NOTE = "note"
    """May well be meant."""


class Remark(NamedTuple):
    """One thing that was noticed."""

    grade: Grade
    location: tuple[str, ...]
    """Names from the definition down to the part."""
    text: str

    @override
    def __str__(self) -> str:
        """Return `warning: contents.ja-JP.PUSH: ...`."""
        return f"{self.grade}: {'.'.join(self.location)}: {self.text}"


def lint(definition: TemplateDefinition, longest: int = LONGEST, wanted: Collection[str] = ()) -> list[Remark]:
    """Return all remarks on a template.

    Args:
        definition: one that can be compiled, else TemplateSyntaxError is raised.
        longest: characters of each value for which lengths are judged.
        wanted: languages that it should have a text for.

    """
    fields = definition.model_dump(exclude={"version"})
    template = compile_template(TemplateVersion(version=0, **fields))
    return [
        *_untranslated(template, wanted),
        *_lacking_parameters(template),
        *_alone(template),
        *_too_long(template, longest),
        *_suspicious_texts(template),
    ]


def _untranslated(template: CompiledTemplate, wanted: Collection[str]) -> Iterator[Remark]:
    for language in wanted:
        if closest(language, template.languages) is None:
            yield Remark(Grade.WARNING, ("contents",), f"has no text in {language}; its users get another language")
    default, *others = template.languages
    for language in others:
        if language.partition("-")[0] != default.partition("-")[0]:
            yield from _same_texts(template.version, default, language)


def _same_texts(version: TemplateVersion, default: str, language: str) -> Iterator[Remark]:
    for channel, content in version.contents[language].items():
        original = version.contents[default][channel]
        for field in ("title", "body"):
            text = getattr(content, field)
            if text == getattr(original, field) and _WORD.search(_literal(text, ())):
                reason = f"is the same text as in {default}: not translated?"
                yield Remark(Grade.NOTE, ("contents", language, channel, field), reason)


def _lacking_parameters(template: CompiledTemplate) -> Iterator[Remark]:
    for channel in template.version.channels:
        shown = {language: template.required_on(language, channel) for language in template.languages}
        for language, names in shown.items():
            for name in sorted(frozenset().union(*shown.values()) - names):
                others = ", ".join(other for other, theirs in shown.items() if name in theirs)
                reason = f"lacks ${{{name}}}, which is shown in {others}"
                yield Remark(Grade.WARNING, ("contents", language, channel), reason)


def _alone(template: CompiledTemplate) -> Iterator[Remark]:
    channels = template.version.channels
    shown = {
        channel: frozenset().union(*(template.required_on(language, channel) for language in template.languages))
        for channel in channels
    }
    if len(channels) > 1:
        for channel, names in shown.items():
            elsewhere = frozenset().union(*(theirs for other, theirs in shown.items() if other is not channel))
            for name in sorted(names - elsewhere - LINK_PARAMETERS):
                yield Remark(Grade.NOTE, ("contents",), f"${{{name}}} occurs in {channel} alone")


def _too_long(template: CompiledTemplate, longest: int) -> Iterator[Remark]:
    for language in template.languages:
        for channel in template.version.channels:
            fault = _fault(template, language, channel, longest)
            if fault:
                location = ("contents", language, channel)
                even_empty = _fault(template, language, channel, 0)
                if even_empty:
                    yield Remark(Grade.ERROR, location, f"{even_empty}, even with empty values")
                else:
                    fits = _longest_that_fits(template, language, channel, longest)
                    yield Remark(Grade.WARNING, location, f"{fault}; values of {fits} each would fit")


def _longest_that_fits(template: CompiledTemplate, language: str, channel: Channel, too_long: int) -> int:
    fits = 0
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        fits, too_long = (fits, middle) if _fault(template, language, channel, middle) else (middle, too_long)
    return fits


def _fault(template: CompiledTemplate, language: str, channel: Channel, size: int) -> str:
    """Return what is too long with values of `size` characters; empty: nothing is."""
    link = _LINK if size else ""
    names = template.required(language) | (LINK_PARAMETERS if not template.needs_link else frozenset())
    parameters = {name: link if name in LINK_PARAMETERS else "x" * size for name in names}
    try:
        template.render(channel, language, parameters, link)
    except RenderingError as error:
        told = str(error).removeprefix(f"{channel} ").partition(":")[0]
        return told if not size else f"with values of {size} characters the {told}"
    return ""


def _suspicious_texts(template: CompiledTemplate) -> Iterator[Remark]:
    version = template.version
    names = frozenset().union(*(template.required(language) for language in template.languages))
    for language, contents in version.contents.items():
        for channel, content in contents.items():
            for field in ("title", "body"):
                location, text = ("contents", language, channel, field), getattr(content, field)
                yield from (Remark(Grade.WARNING, location, reason) for reason in _misread(text, sorted(names)))
                if not (channel is Channel.INBOX and field == "body" and version.body_format is BodyFormat.HTML):
                    yield from _html(location, text)


def _html(location: tuple[str, ...], text: str) -> Iterator[Remark]:
    found = _HTML.search(text)
    if found:
        where = "PUSH is plain text" if location[2] == Channel.PUSH else "this is plain text"
        yield Remark(Grade.WARNING, location, f"{where}: users see {found[0][:40]} as it is written")


def _misread(text: str, names: Sequence[str]) -> Iterator[str]:
    """Yield what looks like a parameter and is shown as it is written."""
    shown = _literal(text, names)
    for name in names:
        quoted = re.escape(name)
        found = re.search(rf"\$?\{{+\s*{quoted}\s*\}}+|%\({quoted}\)s|\${quoted}(?![A-Za-z0-9_])", shown)
        if found:
            yield f"users see {found[0]} as it is written; a parameter is ${{{name}}}"


def _literal(text: str, names: Sequence[str]) -> str:
    """Return a text without its placeholders."""
    compiled = compile_text(text)
    return compiled.fill(dict.fromkeys([*names, *compiled.names], "\0"))
