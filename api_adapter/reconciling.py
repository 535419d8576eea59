"""A merchant's books beside the ledger: the status of each requestId, and where the two differ (CONTRACT R72, R73)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from worker.contract.identity import message_id
from worker.contract.outcomes import WholeOutcome
from worker.contract.requests import Expectation, Reconciliation
from worker.ports import Records

Json = dict[str, Any]

NEVER_SEEN = "NEVER_SEEN"
"""Status of a requestId that the ledger does not know (R72)."""
STATUSES = ("S", "U", "F", NEVER_SEEN)


class Difference(NamedTuple):
    """A message of which books and ledger do not say the same."""

    place: int
    """In the books."""
    request_id: str
    expected: str | None
    """What the books say; None: that it was taken."""
    message_id: str
    whole: WholeOutcome | None
    """What the ledger says; None: never seen, or forgotten."""

    @property
    def status(self) -> str:
        """S, U, F or NEVER_SEEN."""
        return status_of(self.whole)


class Reconciled(NamedTuple):
    """What came of laying books and ledger side by side."""

    statuses: tuple[str, ...]
    """By the ledger, in the order of the books."""
    differences: tuple[Difference, ...]


class Status(NamedTuple):
    """What the ledger says of one requestId."""

    message_id: str
    whole: WholeOutcome | None


async def reconcile(records: Records, books: Reconciliation) -> Reconciled:
    """Return where books and ledger differ; raise LedgerUnavailableError."""
    found = await find_statuses(records, books.appId, [message.requestId for message in books.messages])
    said = list(zip(books.messages, found, strict=True))
    return Reconciled(
        statuses=tuple(status_of(status.whole) for status in found),
        differences=tuple(
            Difference(index, message.requestId, message.status, *status)
            for index, (message, status) in enumerate(said)
            if _differs(message, status_of(status.whole))
        ),
    )


async def find_statuses(records: Records, app_id: str, request_ids: Sequence[str]) -> list[Status]:
    """Return what the ledger says of each requestId, in order; raise LedgerUnavailableError."""
    ids = [message_id(app_id, request_id) for request_id in request_ids]
    return [Status(*one) for one in zip(ids, await records.statuses(ids), strict=True)]


def status_of(whole: WholeOutcome | None) -> str:
    """Return S, U, F or NEVER_SEEN."""
    return NEVER_SEEN if whole is None else whole.status.value


def _differs(message: Expectation, status: str) -> bool:
    return status == NEVER_SEEN if message.status is None else status != message.status


def reconciled_json(found: Reconciled) -> Json:
    """Return the answer to a reconciliation, without its result."""
    counts = Counter(found.statuses)
    return {
        "totals": {**{status: counts[status] for status in STATUSES}, "differences": len(found.differences)},
        "statuses": found.statuses,
        "differences": [_difference(one) for one in found.differences],
    }


def _difference(one: Difference) -> Json:
    told: Json = {"index": one.place, "requestId": one.request_id, "expected": one.expected, "status": one.status}
    return told if one.whole is None else {**told, "messageId": one.message_id, **whole_json(one.whole)}


def whole_json(whole: WholeOutcome) -> Json:
    """Return the outcome of a message as a whole."""
    return {
        "status": whole.status,
        "reason": whole.reason,
        "settledBy": whole.settled_by,
        "partial": whole.partial,
    }
