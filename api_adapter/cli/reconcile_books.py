"""A merchant's books, laid beside the ledger chunk by chunk: by the settings, or over the API."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson

from api_adapter.books import NEVER_SEEN, Entry
from api_adapter.cli.printing import counted, harmless
from api_adapter.cli.saying import say, write_line
from api_adapter.reconciling import reconcile
from worker.batching import grouped
from worker.contract.requests import MAX_INQUIRIES, Expectation, Reconciliation
from worker.ports import Records

if TYPE_CHECKING:
    from api_adapter.client import Access


class Found(NamedTuple):
    """A message of which books and ledger do not say the same."""

    place: int
    """In what was asked."""
    status: str
    """By the ledger."""


Compare: TypeAlias = Callable[[str, Sequence[Expectation]], Awaitable[list[Found]]]
"""Returns what differs of one appId's messages, at most 10,000."""


def with_the_ledger(records: Records) -> Compare:
    """Return what compares with the ledger of the settings."""

    async def compare(app_id: str, messages: Sequence[Expectation]) -> list[Found]:
        books = Reconciliation(appId=app_id, messages=list(messages))
        return [Found(one.place, one.status) for one in (await reconcile(records, books)).differences]

    return compare


@asynccontextmanager
async def over_the_api(access: "Access") -> AsyncIterator[Compare]:
    """Give what compares over the API."""
    from api_adapter.cli.api_calls import api_client  # noqa: PLC0415 - who goes to the ledger needs none of it
    from api_adapter.client import Expectation as Expected  # noqa: PLC0415 - as above

    async with api_client(access) as client:

        async def compare(app_id: str, messages: Sequence[Expectation]) -> list[Found]:
            books = [Expected(message.requestId, message.status) for message in messages]
            return [Found(one.index, one.status) async for one in client.reconcile(app_id, books)]

        yield compare


@dataclass(slots=True)
class Counts:
    """How many messages there are, and how many differ."""

    messages: int = 0
    never_seen: int = 0
    otherwise: int = 0

    @property
    def differing(self) -> int:
        """All that differ."""
        return self.never_seen + self.otherwise


@dataclass(slots=True)
class Telling:
    """Prints each difference as soon as it is known."""

    as_json: bool
    counts: Counts = field(default_factory=Counts)

    async def compare_all(self, entries: Iterator[Entry], compare: Compare, advance: Callable[[int], None]) -> None:
        """Compare every entry; raises as `compare`, and BooksError."""
        while chunk := list(islice(entries, MAX_INQUIRIES)):
            differing = []
            for app_id, of_app in grouped(chunk, lambda entry: entry.app_id).items():
                found = await compare(app_id, [entry.message for entry in of_app])
                differing += [(of_app[one.place], one.status) for one in found]
            for entry, status in sorted(differing, key=lambda one: one[0].line):
                self._tell(entry, status)
            self.counts.messages += len(chunk)
            advance(self.counts.messages)

    def _tell(self, entry: Entry, status: str) -> None:
        if status == NEVER_SEEN:
            self.counts.never_seen += 1
        else:
            self.counts.otherwise += 1
        if self.as_json:
            row = {"line": entry.line, "appId": entry.app_id, **entry.message.model_dump(), "ledger": status}
            write_line(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        else:
            expected = entry.message.status or "taken"
            say(f"line {entry.line}: {harmless(entry.message.requestId)}: {expected} by the books, now {status}")

    def end(self) -> None:
        """Print the totals."""
        counts = self.counts
        if self.as_json:
            totals = {"messages": counts.messages, "neverSeen": counts.never_seen, "otherwise": counts.otherwise}
            write_line(orjson.dumps(totals, option=orjson.OPT_APPEND_NEWLINE))
            return
        agree = counts.messages - counts.differing
        say(
            f"{counted(counts.messages, 'message')}: {agree:,} as the ledger has it, "
            f"{counts.never_seen:,} never taken or forgotten, {counts.otherwise:,} with another status"
        )
