"""One line of the drill's table, and whether it keeps the zero rule. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api_adapter.drill.counting import Counts, Evidence, count
from api_adapter.drill.fault import Fault
from worker.contract.audits import ShardAudit
from worker.contract.outcomes import Tally

RECOVERED = 10.0
"""Seconds after the end of a fault within which delivery must go on."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger says of itself at the end."""

    tally: Tally
    """Over everything."""
    audits: Sequence[ShardAudit]
    refused: Sequence[str]
    """What the merchant was told of sends that were not taken, one text each."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one drill found."""

    fault: str
    counts: Counts
    at_risk: bool
    problems: tuple[str, ...]
    """What breaks the rules, one text each."""

    @property
    def good(self) -> bool:
        """Whether nothing does."""
        return not self.problems


def make_row(fault: Fault, evidence: Evidence, books: Books, seen: Sequence[str] = ()) -> Row:
    """Return the line of a fault that was played; `seen` is what it saw itself that must not be."""
    counts = count(evidence)
    problems = [*seen, *_books(counts, books, fault), *fault.check(evidence), *_recovery(counts, evidence)]
    if not fault.at_risk:
        problems = [*_zero_rule(counts), *_ends(evidence, fault), *problems]
    return Row(fault.name, counts, fault.at_risk, tuple(problems))


def unplayed(fault: Fault, reason: str) -> Row:
    """Return the line of a fault that could not be played."""
    return Row(fault.name, count(Evidence((), ())), fault.at_risk, (f"could not be played: {reason}",))


def _zero_rule(counts: Counts) -> Iterator[str]:
    if counts.lost:
        yield f"{len(counts.lost)} deliveries are lost, such as {', '.join(counts.lost[:3])}"
    if counts.duplicates:
        yield f"{counts.duplicates} deliveries were shown again"
    if counts.after_outcome:
        yield f"{counts.after_outcome} calls were made for channels whose outcome was recorded"


def _ends(evidence: Evidence, fault: Fault) -> Iterator[str]:
    wrong = [story for story in evidence.stories if story.state is not None and story.state not in fault.ends]
    if wrong:
        allowed = " or ".join(sorted(fault.ends))
        example = f"{wrong[0].request_id} is {wrong[0].state}"
        yield f"{len(wrong)} deliveries did not end {allowed}; {example}"


def _books(counts: Counts, books: Books, fault: Fault) -> Iterator[str]:
    if books.refused:
        yield f"{len(books.refused)} sends were not taken: {books.refused[0]}"
    tally = books.tally
    if not tally.balanced or any(not audit.clean for audit in books.audits):
        yield "the ledger is not sound: see `tidings ledger check`"
    if not fault.at_risk and tally.accepted != counts.accepted:
        yield f"the ledger accepted {tally.accepted} deliveries, its merchants were told of {counts.accepted}"


def _recovery(counts: Counts, evidence: Evidence) -> Iterator[str]:
    if evidence.window is None:
        return
    if counts.recovery is None:
        yield "nothing was delivered after the fault"
    elif counts.recovery > RECOVERED:
        yield f"delivery went on after {counts.recovery:.1f} s, it must be within {RECOVERED:.0f} s"
