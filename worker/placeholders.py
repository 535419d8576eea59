"""The syntax of template texts (CONTRACT R61): `${name}` and `$$`, nothing else; a lone `$` is text.

A text is compiled once into a `%` pattern and a picker of its values, which CPython fills faster than it joins parts.
Values are put in as they are and never looked at again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

from worker.contract.errors import TidingsError

Fill: TypeAlias = Callable[[Mapping[str, str]], str]
"""Parameters in, text out; raises KeyError naming a parameter that is not there."""

_TOKEN = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]{0,63})\}|(?P<broken>\{))")


@dataclass(frozen=True, slots=True)
class SyntaxFault:
    """One place of a text that can't be compiled."""

    position: int
    """Index of its `$`, in characters from 0."""
    reason: str


class PlaceholderError(TidingsError):
    """A text holds an unclosed `${` or an invalid name."""

    def __init__(self, faults: list[SyntaxFault]) -> None:
        """Keep all faults; the error's text is all of them."""
        super().__init__("; ".join(f"character {fault.position + 1}: {fault.reason}" for fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class CompiledText:
    """A text ready to be filled."""

    names: frozenset[str]
    """The parameters it needs."""
    fill: Fill


def compile_text(text: str, escape: Callable[[str], str] | None = None) -> CompiledText:
    """Return the text compiled; `escape` is applied to each value, not to the text itself (R63).

    Raises PlaceholderError with every fault of the text.
    """
    faults = list(faults_of(text))
    if faults:
        raise PlaceholderError(faults)
    percent_safe = text.replace("%", "%%")
    names = tuple(token["name"] for token in _TOKEN.finditer(percent_safe) if token["name"])
    pattern = _TOKEN.sub(lambda token: "%s" if token["name"] else "$", percent_safe)
    return CompiledText(frozenset(names), _filler(pattern, names, escape))


def faults_of(text: str) -> Iterator[SyntaxFault]:
    """Yield every unclosed `${` and every invalid name."""
    for token in _TOKEN.finditer(text):
        if token["broken"]:
            yield SyntaxFault(token.start(), _reason(text[token.end() :]))


def _reason(rest: str) -> str:
    name, closed, _ = rest.partition("}")
    if not closed or "${" in name:
        return 'this "${" is never closed'
    return 'the name in "${...}" must be 1 to 64 letters, digits or "_" of ASCII, not beginning with a digit'


def _filler(pattern: str, names: tuple[str, ...], escape: Callable[[str], str] | None) -> Fill:
    if not names:
        return _constant(pattern % ())
    return _plain(pattern, names) if escape is None else _escaped(pattern, names, escape)


def _constant(text: str) -> Fill:
    return lambda _: text


def _plain(pattern: str, names: tuple[str, ...]) -> Fill:
    pick = itemgetter(*names)
    return lambda parameters: pattern % pick(parameters)


def _escaped(pattern: str, names: tuple[str, ...], escape: Callable[[str], str]) -> Fill:
    return lambda parameters: pattern % tuple([escape(parameters[name]) for name in names])
