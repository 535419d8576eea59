"""What differs between two versions of a template, and what those who send will notice of it. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from worker.contract.templates import LinkSource, TemplateVersion
from worker.rendering import CompiledTemplate

_FACTS = ("channels", "default_language", "body_format", "links", "app_name", "app_icon", "platform_template_code")


class Change(NamedTuple):
    """One part that differs."""

    part: str
    """Such as `contents.en-US.PUSH.title`."""
    old: str | None
    """None: it is new."""
    new: str | None
    """None: it is gone."""


class Consequence(NamedTuple):
    """What a sender notices once the new version is live."""

    text: str
    breaks: bool
    """Whether sends that are taken now may be refused, or reach fewer channels."""


def changes(old: TemplateVersion, new: TemplateVersion) -> list[Change]:
    """Return every part that differs, in the order of the old version, then what is new."""
    before, after = dict(_parts(old)), dict(_parts(new))
    return [
        Change(part, before.get(part), after.get(part))
        for part in {**before, **after}
        if before.get(part) != after.get(part)
    ]


def consequences(old: CompiledTemplate, new: CompiledTemplate) -> list[Consequence]:
    """Return what senders notice, the worst first."""
    found = [*_of_channels(old, new), *_of_links(old, new), *_of_languages(old, new), *_of_parameters(old, new)]
    return sorted(found, key=lambda consequence: not consequence.breaks)


def _parts(version: TemplateVersion) -> Iterator[tuple[str, str]]:
    for name in _FACTS:
        value = getattr(version, name)
        yield name, ", ".join(value) if isinstance(value, tuple) else str(value)
    for language in sorted(version.contents):
        for channel, content in sorted(version.contents[language].items()):
            yield f"contents.{language}.{channel}.title", content.title
            yield f"contents.{language}.{channel}.body", content.body


def _of_channels(old: CompiledTemplate, new: CompiledTemplate) -> Iterator[Consequence]:
    before, after = old.version.channels, new.version.channels
    for channel in before:
        if channel not in after:
            yield Consequence(f"nothing is shown on {channel} any more", breaks=True)
    for channel in after:
        if channel not in before:
            yield Consequence(f"it is shown on {channel} as well", breaks=False)


def _of_links(old: CompiledTemplate, new: CompiledTemplate) -> Iterator[Consequence]:
    if old.version.links is not new.version.links:
        if new.version.links is LinkSource.REQUEST:
            yield Consequence("a send without redirectUrl is refused", breaks=True)
        else:
            yield Consequence("redirectUrl is not used: links come from parameters", breaks=False)


def _of_languages(old: CompiledTemplate, new: CompiledTemplate) -> Iterator[Consequence]:
    for language in old.languages:
        if language not in new.languages:
            text = f"{language} is gone: a send of it alone is shown in {new.languages[0]}, or refused"
            yield Consequence(text, breaks=True)
    for language in new.languages:
        if language not in old.languages:
            needs = sorted(new.required(language))
            told = f": a send that names it without {', '.join(needs)} is refused" if needs else ""
            yield Consequence(f"{language} is new{told}", breaks=bool(needs))


def _of_parameters(old: CompiledTemplate, new: CompiledTemplate) -> Iterator[Consequence]:
    for language in new.languages:
        if language in old.languages:
            more = sorted(new.required(language) - old.required(language))
            less = sorted(old.required(language) - new.required(language))
            if more:
                yield Consequence(f"{language}: a send without {', '.join(more)} is refused", breaks=True)
            if less:
                yield Consequence(f"{language}: {', '.join(less)} is not used any more", breaks=False)
