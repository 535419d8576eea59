"""What is wrong between the parts of a template document, told by line even where other parts are faulty too."""

from collections.abc import Iterator, Mapping

from pydantic_core import PydanticCustomError

from api_adapter.yaml_nodes import Data, Document, Fault, Location
from worker.contract.field_types import normal_language
from worker.contract.messages import Channel
from worker.contract.templates import Content, gaps
from worker.placeholders import faults_of

_CHANNELS = frozenset(Channel)


def contradictions(document: Document) -> Iterator[Fault]:
    """Yield languages given twice, and what the definition's parts lack of each other (R60)."""
    data = _mapping(document.data)
    contents = _mapping(data.get("contents"))
    spelt = spellings(document)
    for raw in contents:
        language = _language(raw)
        if language is not None and spelt[language] != raw:
            reason = f"contents.{raw}: the same language as {spelt[language]}"
            yield Fault(document.line_of(("contents", raw)), reason)
    channels = _known_channels(data.get("channels"))
    if channels is not None:
        given = {language: _channels_of(contents[raw], channels) for language, raw in spelt.items()}
        for gap in gaps(channels, _language(data.get("default_language")), given):
            yield Fault(document.line_of(_as_written(gap.location, spelt)), gap.reason)


def spellings(document: Document) -> dict[str, str]:
    """Return each language of the contents as the document spells it first, by its standard spelling."""
    spelt: dict[str, str] = {}
    for raw in _mapping(_mapping(document.data).get("contents")):
        language = _language(raw)
        if language is not None:
            spelt.setdefault(language, raw)
    return spelt


def line_of(document: Document, location: tuple[str, ...]) -> int:
    """Return the line of a part of the definition, whose languages have their standard spelling."""
    return document.line_of(_as_written(location, spellings(document)))


def syntax_faults(document: Document) -> Iterator[Fault]:
    """Yield every placeholder that can't be compiled, in the line where it stands (R61)."""
    for location, text in _texts(document.data):
        for fault in faults_of(text):
            line = document.line_in_text(location, text, fault.position)
            yield Fault(line, f"{'.'.join(map(str, location))}: character {fault.position + 1}: {fault.reason}")


def _texts(data: Data) -> Iterator[tuple[Location, str]]:
    for language, channels in _mapping(_mapping(data).get("contents")).items():
        for channel, content in _mapping(channels).items():
            for field, text in _mapping(content).items():
                if field in Content.model_fields and isinstance(text, str):
                    yield ("contents", language, channel, field), text


def _known_channels(data: Data) -> list[str] | None:
    """Return the channels that exist; None when the list is too faulty to compare anything with it."""
    if not isinstance(data, list):
        return None
    known = [str(channel) for channel in data if channel in _CHANNELS]
    return known if known or not data else None


def _channels_of(content: Data, channels: list[str]) -> list[str]:
    if not isinstance(content, dict):  # told as a wrong type; that it lacks everything need not be said
        return channels
    return [channel for channel in content if channel in _CHANNELS]


def _as_written(location: tuple[str, ...], spelt: Mapping[str, str]) -> Location:
    return tuple(spelt.get(part, part) if index == 1 else part for index, part in enumerate(location))


def _language(data: Data) -> str | None:
    try:
        return normal_language(data) if isinstance(data, str) else None
    except PydanticCustomError:
        return None


def _mapping(data: Data) -> Mapping[str, Data]:
    return data if isinstance(data, dict) else {}
