"""What became of the lines of a file, in numbers."""

from collections import Counter
from typing import NamedTuple

from api_adapter.send_files.lines import Line
from api_adapter.send_files.senders import LineResult
from worker.contract.codes import ResultStatus


class Example(NamedTuple):
    """The first line that got a resultCode."""

    line: int
    message: str


class Unknown(NamedTuple):
    """A line without an answer, and where it is read again."""

    line: int
    offset: int
    code: str


class Totals:
    """What became of the lines so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.last_line = 0
        """Number of the last line that has an answer."""
        self.statuses: Counter[ResultStatus] = Counter()
        self.codes: Counter[tuple[ResultStatus, str]] = Counter()
        self.examples: dict[str, Example] = {}
        """By resultCode."""
        self.unknown: list[Unknown] = []
        """Every line that is U, in order."""

    @property
    def lines(self) -> int:
        """How many lines have an answer."""
        return self.statuses.total()

    def add(self, line: Line, answer: LineResult) -> None:
        """Count one answer."""
        self.last_line = max(self.last_line, line.number)
        self.statuses[answer.status] += 1
        self.codes[answer.status, answer.code] += 1
        self.examples.setdefault(answer.code, Example(line.number, answer.message))
        if answer.status is ResultStatus.U:
            self.unknown.append(Unknown(line.number, line.offset, answer.code))

    def take_unknown(self, most: int) -> list[Unknown]:
        """Return the first unknown lines, which are counted no more: each is added again with its newer answer."""
        taken, self.unknown = self.unknown[:most], self.unknown[most:]
        for one in taken:
            self.statuses[ResultStatus.U] -= 1
            self.codes[ResultStatus.U, one.code] -= 1
        return taken
