"""YAML documents as plain data, with the line of every part, so that a fault can be told where it stands.

Every scalar is text exactly as written (`no` is Norwegian, `007` keeps its zeros); only null is None. Nothing in a
document is ever built into an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Data: TypeAlias = "str | list[Data] | dict[str, Data] | None"
Location: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the document down to a part."""

_NULL = "tag:yaml.org,2002:null"
_DEEPEST = 8
"""Levels that are read; an alias can make a document endless."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in one line of a file."""

    line: int
    """Counted from 1."""
    reason: str


@dataclass(slots=True)
class Document:
    """One document: its data, where its parts stand, and what its YAML did wrong."""

    data: Data = None
    faults: list[Fault] = field(default_factory=list)
    _lines: dict[Location, int] = field(default_factory=dict)
    _literals: set[Location] = field(default_factory=set)

    @classmethod
    def of(cls, root: Node) -> "Document":
        """Return the document of a root node."""
        document = cls()
        document.data = document._read(root, ())
        return document

    def line_of(self, location: Location) -> int:
        """Return the line of a part, or of the nearest part above it that is there; the document itself always is."""
        while location not in self._lines:
            location = location[:-1]
        return self._lines[location]

    def line_in_text(self, location: Location, text: str, position: int) -> int:
        """Return the line of a character of a scalar; for a text that is not in `|` style, where it begins."""
        if location not in self._literals:
            return self.line_of(location)
        return self.line_of(location) + 1 + text.count("\n", 0, position)

    def _read(self, node: Node, at: Location) -> Data:
        if len(at) > _DEEPEST:
            self.faults.append(Fault(_line(node), "is nested too deeply"))
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, at)
        if isinstance(node, SequenceNode):
            return self._sequence(node, at)
        return self._scalar(node, at)

    def _mapping(self, node: MappingNode, at: Location) -> Data:
        self._lines.setdefault(at, _line(node))
        found: dict[str, Data] = {}
        first: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            if name in found:
                self.faults.append(Fault(_line(key), f"{name}: is given twice, first in line {first[name]}"))
                continue
            first[name] = self._lines[*at, name] = _line(key)
            found[name] = self._read(value, (*at, name))
        return found

    def _sequence(self, node: SequenceNode, at: Location) -> Data:
        self._lines.setdefault(at, _line(node))
        return [self._read(item, (*at, index)) for index, item in enumerate(node.value)]

    def _scalar(self, node: Node, at: Location) -> Data:
        self._lines[at] = _line(node)
        if isinstance(node, ScalarNode) and node.style == "|":
            self._literals.add(at)
        return None if node.tag == _NULL else str(node.value)


def documents(text: str) -> Iterator[Document]:
    """Yield every document of a YAML text; empty ones are left out.

    Raises ReaderError, MarkedYAMLError or RecursionError where the text stops being YAML or is nested without end; the
    documents before that are yielded first.
    """
    loader = yaml.SafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None and node.tag != _NULL:
                yield Document.of(node)
    finally:
        loader.dispose()


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
