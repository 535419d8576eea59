"""What linting many lines came to: counts, and the first lines of each kind of trouble."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from api_adapter.linting import Fate, SendLint

BAD = frozenset({Fate.REFUSED, Fate.UNDELIVERABLE, Fate.UNKNOWN})


class Trouble(NamedTuple):
    """A kind of trouble; lines are counted by it."""

    fate: Fate
    code: str
    """The resultCode that the send would be answered with."""


@dataclass(slots=True)
class LintTotals:
    """Counts of all lines so far."""

    fates: Counter[Fate] = field(default_factory=Counter)
    troubles: Counter[Trouble] = field(default_factory=Counter)
    remarked: int = 0
    """Lines of which something is useless, be they good otherwise."""

    @property
    def lines(self) -> int:
        """How many lines were linted."""
        return self.fates.total()

    def add(self, lint: SendLint) -> Trouble | None:
        """Count a line and return its trouble, if it has one."""
        self.fates[lint.fate] += 1
        self.remarked += bool(lint.answer.remarks)
        if lint.fate not in BAD:
            return None
        trouble = Trouble(lint.fate, lint.answer.result.code)
        self.troubles[trouble] += 1
        return trouble


def reason(lint: SendLint) -> str:
    """Return why a line is in trouble, for people; never a value of it."""
    if lint.fate is Fate.UNDELIVERABLE:
        return "; ".join(lint.faults)
    told = f"{lint.answer.result.code}: {lint.answer.result.message}"
    return told if lint.repeat_of is None else f"{told} (line {lint.repeat_of} has this requestId)"
