"""Whether every notice is accounted for: the ledger's, the merchant's and the wallet's view must agree. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api_adapter.demo.scenario import Notice
from api_adapter.stack.sending import NO_REPLY, Reply
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel, DeliveryState
from worker.contract.outcomes import MessageOutcome, Tally


@dataclass(frozen=True, slots=True)
class Repeat:
    """One notice, sent a second time with its requestId."""

    request_id: str
    first: Reply
    second: Reply
    accepted_before: int
    accepted_after: int

    @property
    def changed_nothing(self) -> bool:
        """Whether the second send was answered as the first one, and nothing was taken again."""
        return self.first == self.second and self.accepted_before == self.accepted_after


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was found out after the last notice was settled."""

    notices: Sequence[Notice]
    replies: Mapping[str, Reply]
    """What the sends were answered, by requestId."""
    statuses: Mapping[str, str]
    """What the look-up over HTTP says, by requestId: S, F, U, OPEN or NEVER_SEEN."""
    outcomes: Mapping[str, MessageOutcome]
    """The ledger's whole story of each, by requestId."""
    tallies: Mapping[Channel, Tally]
    counts: Mapping[str, Any]
    """The simulator's own report."""
    repeat: Repeat


def total(tallies: Mapping[Channel, Tally]) -> Tally:
    """Return the sum over all channels."""
    return sum(tallies.values(), Tally())


def problems(evidence: Evidence) -> list[str]:
    """Return what is not as it must be, one text each, sums first; empty when every notice is accounted for."""
    checks = (_unbalanced, _wrongly_shown, _not_idempotent, _not_taken, _astray, _wrong_on_a_channel)
    return [problem for check in checks for problem in check(evidence)]


def _not_taken(evidence: Evidence) -> Iterator[str]:
    for notice in evidence.notices:
        reply = evidence.replies.get(notice.request_id, NO_REPLY)
        if reply.status != ResultStatus.S:
            yield f"{_name(notice)} was not taken: {reply.status} {reply.code}"


def _astray(evidence: Evidence) -> Iterator[str]:
    for notice in evidence.notices:
        status = evidence.statuses.get(notice.request_id, "missing in the answer")
        if status != notice.ends:
            yield f"{_name(notice)}: the look-up says {status}, it must be {notice.ends}"


def _wrong_on_a_channel(evidence: Evidence) -> Iterator[str]:
    for notice in evidence.notices:
        outcome = evidence.outcomes.get(notice.request_id)
        found = {} if outcome is None else _by_channel(outcome)
        if found != dict.fromkeys(notice.channels, notice.ends):
            told = ", ".join(f"{channel} {status}" for channel, status in found.items()) or "nothing"
            yield f"{_name(notice)}: the ledger has {told}, it must have {notice.ends} on {', '.join(notice.channels)}"


def _by_channel(outcome: MessageOutcome) -> dict[Channel, ResultStatus | None]:
    return {one.channel: one.status for one in outcome.deliveries if one.state is not DeliveryState.SKIPPED}


def _unbalanced(evidence: Evidence) -> Iterator[str]:
    for channel, tally in evidence.tallies.items():
        if not tally.balanced:
            yield f"{channel}: accepted is not S + F + U + open + forgotten: {tally}"
    found, planned = total(evidence.tallies), sum(len(notice.channels) for notice in evidence.notices)
    if found.accepted != planned:
        yield f"the ledger accepted {found.accepted} deliveries of {planned}"
    if found.open:
        yield f"{found.open} deliveries are still open"


def _wrongly_shown(evidence: Evidence) -> Iterator[str]:
    twice, shown = evidence.counts["deliveredTwice"], evidence.counts["deliveredKeys"]
    if twice:
        yield f"the simulator delivered {twice} messages twice"
    planned = sum(len(notice.channels) for notice in evidence.notices if _must_be_shown(notice))
    if shown != planned:
        yield f"the simulator showed {shown} deliveries to users, it must be {planned}"


def _must_be_shown(notice: Notice) -> bool:
    return notice.person.fault is None or notice.person.fault.is_shown


def _not_idempotent(evidence: Evidence) -> Iterator[str]:
    repeat = evidence.repeat
    if not repeat.changed_nothing:
        yield f"{repeat.request_id}, sent again, was not answered as before: {repeat}"


def _name(notice: Notice) -> str:
    return f"{notice.request_id} (fault: {notice.fault})"
