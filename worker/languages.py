"""Which language of a template a user gets (CONTRACT R62), by BCP 47 matching.

Two tags match when their CLDR distance is below `FAR`: the same language, perhaps of another region (`en` and `en-US`,
`zh-CN` and `zh-Hans`), never a related one (a Ukrainian reader gets the template's default before Russian).
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import lru_cache
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

import langcodes
from langcodes.tag_parser import LanguageTagError

FAR = 10
"""CLDR distance from which a language is another one; below it a text reads as one's own."""


class Why(StrEnum):
    """Why a user gets a language (R62)."""

    PREFERRED = "PREFERRED"
    """It is the closest of those sent to what the user prefers."""
    DEFAULT = "DEFAULT"
    """None sent matches what the user prefers; it is the template's default, and was sent."""
    FIRST = "FIRST"
    """Neither a preferred one nor the template's default was sent; it is the first that was."""
    NONE_SENT = "NONE_SENT"
    """None sent is a language of the template: its default, with the parameters of the first entry."""


class Pick(NamedTuple):
    """The language that wins."""

    language: str
    entry: int
    """Index of the entry of the send that has its parameters."""
    why: Why


def closest(wanted: str, offered: Collection[str]) -> str | None:
    """Return the tag of `offered` that matches best, the same tag before all others, or None when none matches.

    Among equals the first wins. A malformed `wanted` matches nothing.
    """
    tag = _standard(wanted)
    if tag is None or tag in offered:
        return tag
    near = [(distance, offer) for offer in offered if (distance := _distance(tag, offer)) < FAR]
    return min(near, key=itemgetter(0))[1] if near else None


@lru_cache(maxsize=4096)
def candidates(languages: tuple[str, ...], sent: tuple[str | None, ...]) -> Mapping[str, int]:
    """Return the languages of a template that a send has parameters for, each with the index of its entry.

    `languages` begins with the template's default: an entry without a language is of that one (R8). Where two entries
    lead to one language (`en` and `en-US` sent, the template has `en-US`) the entry of the same tag wins, then the
    first. Ordered by index.
    """
    tags = [languages[0] if tag is None else tag for tag in sent]
    found: dict[str, int] = {}
    for index, tag in enumerate(tags):
        if tag in languages:
            found.setdefault(tag, index)
    for index, tag in enumerate(tags):
        if (match := closest(tag, languages)) is not None:
            found.setdefault(match, index)
    return MappingProxyType(dict(sorted(found.items(), key=itemgetter(1))))


@lru_cache(maxsize=8192)
def choose_language(
    languages: tuple[str, ...],
    sent: tuple[str | None, ...],
    preferred: tuple[str, ...],
) -> Pick | None:
    """Return the language that wins; None when no entry has a language of the template.

    The user's preferences count in their order: the first that matches some candidate takes the closest one.
    """
    found = candidates(languages, sent)
    for wanted in preferred:
        if (match := closest(wanted, found)) is not None:
            return Pick(match, found[match], Why.PREFERRED)
    if languages[0] in found:
        return Pick(languages[0], found[languages[0]], Why.DEFAULT)
    return next((Pick(language, index, Why.FIRST) for language, index in found.items()), None)


@lru_cache(maxsize=4096)
def _standard(tag: str) -> str | None:
    try:
        return langcodes.standardize_tag(tag)
    except LanguageTagError:
        return None


@lru_cache(maxsize=16_384)
def _distance(wanted: str, offered: str) -> int:
    return langcodes.tag_distance(wanted, offered)
