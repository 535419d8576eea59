"""A day's settlement: every message that was taken in a span of time, with its outcome, as CSV in the order of taking.

Rows are kept in small files until all are there, each file is sorted by itself, and then they are merged: memory holds
one of them, a part in 64 of the day.
"""

import csv
import hashlib
import heapq
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import orjson

from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel
from worker.contract.moments import moment_text
from worker.contract.outcomes import DeliveryOutcome, MessageOutcome
from worker.contract.settlements import Taken

_BUCKETS = 64
_COLUMNS_OF_A_CHANNEL = ("Status", "Code", "At")
COLUMNS = (
    "requestId",
    "messageId",
    "appId",
    "takenAt",
    "status",
    "reason",
    "settledAt",
    "settledBy",
    *(f"{channel.lower()}{column}" for channel in Channel for column in _COLUMNS_OF_A_CHANNEL),
    "deadLetter",
    "attempts",
    "lane",
    "templateCode",
    "templateVersion",
    "language",
)
Row: TypeAlias = list[Any]
"""Time of taking, requestId, messageId, and the cells."""


@dataclass(slots=True)
class Settlement:
    """What a file holds."""

    statuses: Counter[ResultStatus] = field(default_factory=Counter)
    """Messages by their outcome as a whole."""
    digest: str = ""
    """SHA-256 of the file."""

    @property
    def messages(self) -> int:
        """How many there are."""
        return self.statuses.total()


async def write_settlement(
    taken: AsyncIterator[Taken], file: BinaryIO, spare: Path, advance: Callable[[int], None]
) -> Settlement:
    """Write the file and return what it holds.

    Args:
        taken: what was taken, perhaps some of it twice.
        file: where the CSV goes.
        spare: an empty directory for what is not sorted yet; it holds no text of a user, and no token.
        advance: told how many records were looked at so far.

    Raises:
        LedgerUnavailableError: the store did not answer.
        OSError: a file can't be written.

    """
    buckets = [spare / f"{number}.rows" for number in range(_BUCKETS)]
    await _collect(taken, buckets, advance)
    for bucket in buckets:
        _sort(bucket)
    return _merge(buckets, file)


async def _collect(taken: AsyncIterator[Taken], buckets: list[Path], advance: Callable[[int], None]) -> None:
    looked_at = 0
    with ExitStack() as opened:
        files = [opened.enter_context(bucket.open("wb")) for bucket in buckets]
        async for part in taken:
            for outcome in part.outcomes:
                row = [outcome.taken_at, outcome.request_id, outcome.message_id, _cells(outcome)]
                place = int(outcome.message_id[:4], 16) % _BUCKETS
                files[place].write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            looked_at += part.looked_at
            advance(looked_at)


def _sort(bucket: Path) -> None:
    rows: dict[str, Row] = {row[2]: row for row in _read(bucket)}
    with bucket.open("wb") as file:
        file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in sorted(rows.values()))


def _read(bucket: Path) -> Iterator[Row]:
    with bucket.open("rb") as file:
        yield from map(orjson.loads, file)


def _merge(buckets: Iterable[Path], file: BinaryIO) -> Settlement:
    settlement, digest = Settlement(), hashlib.sha256()
    status = COLUMNS.index("status")

    def write(cells: Iterable[object]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        line = text.getvalue().encode()
        digest.update(line)
        file.write(line)

    write(COLUMNS)
    for _, _, _, cells in heapq.merge(*map(_read, buckets)):
        settlement.statuses[ResultStatus(cells[status])] += 1
        write(cells)
    settlement.digest = digest.hexdigest()
    return settlement


def _cells(outcome: MessageOutcome) -> list[object]:
    whole = outcome.whole
    by_channel = {delivery.channel: delivery for delivery in outcome.deliveries}
    return [
        outcome.request_id,
        outcome.message_id,
        outcome.app_id,
        _time(outcome.taken_at),
        whole.status,
        whole.reason or ("PARTIAL" if whole.partial else ""),
        _time(outcome.settled_at),
        _time(whole.settled_by),
        *(cell for channel in Channel for cell in _channel(by_channel.get(channel))),
        outcome.dead_cause,
        outcome.attempts,
        outcome.lane,
        outcome.template_code,
        outcome.template_version,
        outcome.language,
    ]


def _channel(delivery: DeliveryOutcome | None) -> tuple[str, str, str]:
    if delivery is None:
        return "", "", ""
    return delivery.status or "SKIPPED", delivery.code, _time(delivery.at)


def _time(milliseconds: int | None) -> str:
    return "" if milliseconds is None else moment_text(milliseconds)
