"""A day's settlement: every message that was taken in a span of time, with its outcome, as CSV in the order of taking.

Rows are kept in small files until all are there, each file is sorted by itself, and then they are merged: memory holds
one of them, a part in 64 of the day.
"""

import asyncio
import csv
import hashlib
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import orjson

from api_adapter.cancellation import heed_cancellation
from worker.contract.codes import ResultStatus
from worker.contract.messages import Channel
from worker.contract.moments import moment_text
from worker.contract.outcomes import DeliveryOutcome, WholeOutcome
from worker.contract.settlements import Taken, TakenMessage

_BUCKETS = 64
_CHANNELS = tuple(Channel)
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
    *(f"{channel.lower()}{column}" for channel in _CHANNELS for column in _COLUMNS_OF_A_CHANNEL),
    "deadLetter",
    "attempts",
    "lane",
    "templateCode",
    "templateVersion",
    "language",
)
Row: TypeAlias = list[Any]
"""Time of taking, requestId, messageId, status of the whole, and its line of the file."""
_MESSAGE_ID, _STATUS, _LINE = 2, 3, 4
_AT_A_TIME = 2_000
"""Rows that are written until it lets go."""


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


class _Line:
    """Lets csv's writer return what it writes."""

    def write(self, text: str) -> str:
        return text


_WRITER = csv.writer(_Line(), lineterminator="\n")


class Unsorted:
    """The rows of a day in small files, each message in the same one however often it comes."""

    def __init__(self, directory: Path) -> None:
        """Take an empty directory; what is written there holds no text of a user, and no token."""
        self._buckets = [directory / f"{number}.rows" for number in range(_BUCKETS)]
        self.rows = 0
        """How many were written, some of them perhaps twice."""

    async def collect(self, taken: AsyncIterator[Taken], advance: Callable[[int], None]) -> None:
        """Write down what was taken; `advance` is told how many records were looked at so far.

        Raises LedgerUnavailableError where the store did not answer, OSError where a file can't be written.
        """
        looked_at = 0
        with ExitStack() as opened:
            files = [opened.enter_context(bucket.open("wb")) for bucket in self._buckets]
            async for part in taken:
                for message in part.messages:
                    place = int(message.message_id[:4], 16) % _BUCKETS
                    files[place].write(orjson.dumps(_row(message), option=orjson.OPT_APPEND_NEWLINE))
                self.rows += len(part.messages)
                looked_at += part.looked_at
                advance(looked_at)
                heed_cancellation()

    async def write(self, file: BinaryIO, advance: Callable[[int], None]) -> Settlement:
        """Write the file, in order and each message once; `advance` is told how many rows it has so far.

        Lets go now and then, so that whoever stops it does not wait for its end. Raises OSError.
        """
        for bucket in self._buckets:
            _sort(bucket)
            await asyncio.sleep(0)
        settlement, digest = Settlement(), hashlib.sha256()
        head: str = _WRITER.writerow(COLUMNS)
        digest.update(head.encode())
        file.write(head.encode())
        rows = heapq.merge(*map(_read, self._buckets))
        while chunk := list(islice(rows, _AT_A_TIME)):
            settlement.statuses.update(map(ResultStatus, (row[_STATUS] for row in chunk)))
            lines = "".join(row[_LINE] for row in chunk).encode()
            digest.update(lines)
            file.write(lines)
            advance(settlement.messages)
            await asyncio.sleep(0)
        settlement.digest = digest.hexdigest()
        return settlement


def _sort(bucket: Path) -> None:
    rows: dict[str, Row] = {row[_MESSAGE_ID]: row for row in _read(bucket)}
    with bucket.open("wb") as file:
        file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in sorted(rows.values()))


def _read(bucket: Path) -> Iterator[Row]:
    with bucket.open("rb") as file:
        yield from map(orjson.loads, file)


def _row(message: TakenMessage) -> Row:
    whole = message.whole
    line = _WRITER.writerow(_cells(message, whole))
    return [message.taken_at, message.request_id, message.message_id, whole.status, line]


def _cells(message: TakenMessage, whole: WholeOutcome) -> list[object]:
    by_channel = {delivery.channel: delivery for delivery in message.deliveries}
    return [
        message.request_id,
        message.message_id,
        message.app_id,
        _time(message.taken_at),
        whole.status,
        whole.reason or ("PARTIAL" if whole.partial else ""),
        _time(message.settled_at),
        _time(whole.settled_by),
        *(cell for channel in _CHANNELS for cell in _channel(by_channel.get(channel))),
        message.dead_cause,
        message.attempts,
        message.lane,
        message.template_code,
        message.template_version,
        message.language,
    ]


def _channel(delivery: DeliveryOutcome | None) -> tuple[str, str, str]:
    if delivery is None:
        return "", "", ""
    return delivery.status or "SKIPPED", delivery.code, _time(delivery.at)


def _time(milliseconds: int | None) -> str:
    return "" if milliseconds is None else moment_text(milliseconds)
