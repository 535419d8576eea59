"""How the lint of one send, and of a file, is shown to people."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from api_adapter.cli.printing import elapsed, harmless, period
from api_adapter.cli.progress import rate
from api_adapter.cli.saying import say
from api_adapter.cli.view_panels import panels
from api_adapter.lint_totals import LintTotals, Trouble, reason
from api_adapter.linting import Fate, SendLint
from api_adapter.previewing import REASONS

WORDS: Final = {
    Fate.TAKEN: "would be taken",
    Fate.REPEATED: "taken before",
    Fate.UNDELIVERABLE: "would never be delivered",
    Fate.REFUSED: "would be refused",
    Fate.UNKNOWN: "unknown",
}
_COLOURS = {Fate.TAKEN: "green", Fate.REPEATED: "green", Fate.UNKNOWN: "yellow"}


def one_send(lint: SendLint) -> Iterator[RenderableType]:
    """Yield what is to be said of one send: its answer, what is wrong with it, and a panel for each channel."""
    yield Text(_verdict(lint), _COLOURS.get(lint.fate, "red"))
    if lint.template is not None:
        yield Text(f"template: {lint.template.code} version {lint.template.version}")
    if lint.choice is not None:
        yield Text(f"language: {lint.choice.language}, because {REASONS[lint.choice.why]}")
    if lint.skipped:
        yield Text(f"not shown on {', '.join(lint.skipped)}: the user opted out")
    yield from (Text(f"note: {harmless(remark)}", "yellow") for remark in lint.answer.remarks)
    yield from (Text(line) for line in _limits(lint))
    for view in lint.views:
        if view.missing:
            yield Text(f"{view.language}: lacks {', '.join(view.missing)}", "red")
        yield from panels(view)


def _verdict(lint: SendLint) -> str:
    if lint.fate is Fate.TAKEN:
        return f"{WORDS[lint.fate]}: S"
    if lint.fate is Fate.REPEATED:
        return f"{WORDS[lint.fate]}: S with messageId {lint.answer.message_id}, and nothing new is sent"
    return f"{WORDS[lint.fate]}: {harmless(reason(lint))}"


def _limits(lint: SendLint) -> Iterator[str]:
    if lint.quota is not None:
        cap, counted, left = lint.quota.cap, lint.quota.counted, lint.quota.left
        yield f"cap: {counted} of {cap.messages} messages in {period(cap.period)} counted for this user, {left} left"
    for allowance in lint.allowances:
        limit = allowance.limit
        yield f"rate of {limit.by} {harmless(limit.name)}: {limit.rate} a second, {allowance.left} left now"


class TroubleLines:
    """Prints a line for each send in trouble, at most so many of each kind."""

    def __init__(self, most: int) -> None:
        """Show `most` lines of each kind."""
        self._most = most
        self._shown: Counter[Trouble] = Counter()

    def add(self, line: int, lint: SendLint, trouble: Trouble | None) -> None:
        """Print a line, if it is in trouble."""
        if trouble is not None and self._shown[trouble] < self._most:
            self._shown[trouble] += 1
            say(f"line {line}: {WORDS[lint.fate]}: {harmless(reason(lint))}")

    def end(self, totals: LintTotals) -> None:
        """Say what was not shown."""
        for trouble, number in totals.troubles.most_common():
            rest = number - self._shown[trouble]
            if rest and self._most:
                say(f"and {rest:,} more lines that {WORDS[trouble.fate]}: {trouble.code}")


def summary(totals: LintTotals, seconds: float) -> Iterator[str]:
    """Yield what a file came to."""
    counts = ", ".join(f"{totals.fates[fate]:,} {word}" for fate, word in WORDS.items())
    yield f"{rate(totals.lines, 'line', seconds)} in {elapsed(int(seconds * 1000))}: {counts}"
    for (fate, code), number in totals.troubles.most_common():
        yield f"  {number:,} {WORDS[fate]}: {code}"
    if totals.remarked:
        yield f"  {totals.remarked:,} with something that is not used, such as a parameter: see --json"
