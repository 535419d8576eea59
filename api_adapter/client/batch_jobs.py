"""Batch jobs as exchanges: defining a batch, uploading its rows in parts, running it, and what became of it.

See docs/batches.md. What is uploaded again as it was is no part more, so every call here may be repeated.
"""

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import orjson
from pydantic import Field

from api_adapter.client.answers import Model, Status
from api_adapter.client.exchange import Content, Exchange
from api_adapter.client.operations import Operations
from api_adapter.client.requests import Sendable, body_of
from api_adapter.client.waits import Patience
from api_adapter.paths import BATCHES, PARTS
from worker.contract.batch_requests import MOST_RESULTS
from worker.contract.outcomes import Reason

PART_ROWS = 20_000
PART_BYTES = 15 * 1024 * 1024
"""Before compression: what an upload may have after it (R15), with room for rows that can't be compressed."""
_UPLOAD_SECONDS, _UPLOAD_TOTAL = 120.0, 600.0

Asked = TypeVar("Asked", bound=Model)


class PartFormat(StrEnum):
    """What a part is written in; the texts are its Content-Type."""

    JSON_LINES = "application/x-ndjson"
    CSV = "text/csv"


class BatchStatus(Model):
    """How far a batch is; times are ms since 1970."""

    app_id: str
    batch_id: str
    state: str
    """HELD, RUNNING, PAUSED or CANCELLED."""
    created_at: int
    changed_at: int
    parts: int
    lacking: tuple[int, ...] = ()
    """Numbers of parts that have to be uploaded again."""
    received: int
    accepted: int
    duplicate: int
    rejected: int
    open: int
    S: Annotated[int, Field(alias="S")]
    U: Annotated[int, Field(alias="U")]
    F: Annotated[int, Field(alias="F")]
    forgotten: int = 0
    settled_at: int | None = None
    """When it was seen that nothing is open any more; None before."""
    rate: float | None = None
    """Outcomes a second since it was run or resumed, until `settled_at`."""
    eta: int | None = None


class PartAnswer(Model):
    """What became of the rows of a part."""

    part: int
    rows: int
    accepted: int
    duplicate: int
    rejected: int
    codes: Mapping[str, Any] = {}
    """The rejected rows by resultCode, and the first of each."""
    ignored_columns: tuple[str, ...] = ()


class BatchLint(Model):
    """What is wrong with a batch before it runs."""

    ready: bool
    lacking: tuple[int, ...] = ()
    accepted: int
    duplicate: int
    rejected: int
    parts: tuple[Mapping[str, Any], ...] = ()

    @property
    def next_part(self) -> int:
        """The first number after all parts: that of the next upload."""
        return max((part["part"] for part in self.parts), default=0) + 1


class BatchResult(Model):
    """The outcome of a row."""

    part: int
    row: int
    request_id: str
    message_id: str
    status: Status
    reason: Reason | None = None
    settled_by: int | None = None
    partial: bool = False


class BatchError(Model):
    """A rejected row, by part and row; `Batch.join_file` finds it in your own file."""

    part: int
    row: int
    request_id: str | None = None
    result_code: str
    result_message: str


class _Results(Model):
    items: tuple[BatchResult, ...]
    next: str | None = None


class _Errors(Model):
    items: tuple[BatchError, ...]
    next: str | None = None


class BatchOperations:
    """One batch, by the merchant's own batchId. Every exchange raises as `Operations.send` does."""

    def __init__(self, operations: Operations, app_id: str, batch_id: str) -> None:
        """Name the batch; nobody is asked."""
        self._operations = operations
        self._name = {"appId": app_id, "batchId": batch_id}

    def create(self, common: Mapping[str, Any]) -> Exchange[BatchStatus]:
        """Define the batch: what its rows have in common, and which callbacks it has, by the API's own names."""
        return self._ask("create", BatchStatus, common)

    def upload(self, part: int, rows: bytes, written: PartFormat) -> Exchange[PartAnswer]:
        """Upload a part; what got no answer is uploaded again as it was."""
        body = gzip.compress(rows, compresslevel=1, mtime=0)
        query = urlencode({**self._name, "part": part, "sha256": hashlib.sha256(body).hexdigest()})
        content = Content(body, f"{written}; charset=UTF-8", "gzip")
        return self._operations.ask(f"{PARTS}?{query}", content, PartAnswer, _for_uploads)

    def lint(self) -> Exchange[BatchLint]:
        """Say what is wrong before it runs."""
        return self._ask("lint", BatchLint)

    def run(self, parts: int | None, rows: int | None) -> Exchange[BatchStatus]:
        """Let it be sent; what is given must be what the batch has."""
        given = {"parts": parts, "rows": rows}
        return self._ask("run", BatchStatus, {name: number for name, number in given.items() if number is not None})

    def move(self, verb: str) -> Exchange[BatchStatus]:
        """Pause, resume or cancel it, or ask for its status."""
        return self._ask(verb, BatchStatus)

    def results(self, status: str | None, after: str | None) -> Exchange[_Results]:
        """Return a page of outcomes."""
        return self._ask("results", _Results, {"status": status, "after": after, "limit": MOST_RESULTS})

    def errors(self, after: str | None) -> Exchange[_Errors]:
        """Return a page of rejected rows."""
        return self._ask("errors", _Errors, {"after": after})

    def _ask(self, verb: str, model: type[Asked], fields: Mapping[str, Any] | None = None) -> Exchange[Asked]:
        return self._operations.ask(BATCHES + verb, Content(orjson.dumps({**self._name, **(fields or {})})), model)


def _for_uploads(patience: Patience) -> Patience:
    return replace(patience, call=max(patience.call, _UPLOAD_SECONDS), total=max(patience.total, _UPLOAD_TOTAL))


def json_line_parts(sends: Iterable[Sendable]) -> Iterator[bytes]:
    """Cut sends into parts of JSON lines: the same sends are cut alike, so they may be uploaded again."""
    part: list[bytes] = []
    size = 0
    for body in map(body_of, sends):
        # No string of JSON holds a line break as such.
        line = body.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        if part and (len(part) == PART_ROWS or size + len(line) > PART_BYTES):
            yield b"".join(part)
            part, size = [], 0
        part.append(line)
        size += len(line)
    if part:
        yield b"".join(part)
