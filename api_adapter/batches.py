"""Many sends from one stream of lines, in chunks, each with its answer as a line (CONTRACT R50, R52).

A bad line never stops the good ones. What stays unknown is repeated with the same requestId, which is always safe.
Memory holds one chunk, however long the stream.
"""

import asyncio
import codecs
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

import orjson

from api_adapter.clients import CLIENT_ID
from api_adapter.intake import Intake
from api_adapter.reading import MAX_BODY
from api_adapter.taking import SendResult
from worker.contract.codes import UNKNOWN, ResultStatus
from worker.contract.messages import Lane

_CHUNK_LINES = 2_000
_CHUNK_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = MAX_BODY + len(b"\r\n") + 1
_SPACE = b" \t\r\n"
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each repeat of what is unknown."""

Waiting: TypeAlias = Callable[[int, float], None]
"""Told how many lines are unknown, and in how many seconds they are repeated."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the stream that is not blank."""

    number: int
    """From 1, blank lines counted."""
    body: bytes
    """One send; of a line that is larger than any send may be, only so much that intake sees that it is."""


class LineReader:
    """Cuts a stream of lines into chunks."""

    def __init__(self, stream: BinaryIO) -> None:
        """Keep the stream."""
        self._stream = stream
        self.bytes_read = 0

    def chunks(self) -> Iterator[list[Line]]:
        """Yield chunks of lines, none of them empty."""
        chunk: list[Line] = []
        start = self.bytes_read
        for line in self._lines():
            chunk.append(line)
            if len(chunk) >= _CHUNK_LINES or self.bytes_read - start >= _CHUNK_BYTES:
                yield chunk
                chunk, start = [], self.bytes_read
        if chunk:
            yield chunk

    def _lines(self) -> Iterator[Line]:
        number = 0
        while piece := self._read():
            number += 1
            if number == 1:
                piece = piece.removeprefix(codecs.BOM_UTF8)
            body = piece.strip(_SPACE)
            if len(piece) == _LONGEST_LINE and not piece.endswith(b"\n"):
                self._pass_over_rest()
                body = piece
            if body:
                yield Line(number, body)

    def _pass_over_rest(self) -> None:
        while (rest := self._read()) and not rest.endswith(b"\n"):
            pass

    def _read(self) -> bytes:
        piece = self._stream.readline(_LONGEST_LINE)
        self.bytes_read += len(piece)
        return piece


@dataclass(frozen=True, slots=True)
class Example:
    """The first line that got a resultCode."""

    line: int
    message: str


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

    @property
    def lines(self) -> int:
        """How many lines have an answer."""
        return self.statuses.total()

    def add(self, line: Line, answer: SendResult) -> None:
        """Count one answer."""
        result = answer.result
        self.last_line = line.number
        self.statuses[result.status] += 1
        self.codes[result.status, result.code] += 1
        self.examples.setdefault(result.code, Example(line.number, result.message))


class Batch:
    """Has chunks of lines taken, and writes a result for each line."""

    def __init__(
        self,
        intake: Intake,
        client_id: str,
        results: BinaryIO,
        waiting: Waiting,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        """Take the caller's Client-Id, where the results go, and who is told of each repeat."""
        self._intake = intake
        self._headers = {CLIENT_ID: client_id}
        self._results = results
        self._waiting = waiting
        self._pauses = pauses
        self.totals = Totals()

    async def send(self, lines: Sequence[Line]) -> bool:
        """Have a chunk taken and write its results, even when it is cancelled midway.

        Returns False when the store answered nothing, however often it was asked: then going on is of no use.
        Raises OSError when the results can't be written.
        """
        answers = [SendResult(UNKNOWN)] * len(lines)
        try:
            await self._take_all(lines, answers)
        finally:
            self._write(lines, answers)
        return len(_unknown(answers)) < len(lines)

    async def _take_all(self, lines: Sequence[Line], answers: list[SendResult]) -> None:
        await self._take(lines, range(len(lines)), answers)
        for pause in self._pauses:
            unknown = _unknown(answers)
            if not unknown:
                return
            self._waiting(len(unknown), pause)
            await asyncio.sleep(pause)
            await self._take(lines, unknown, answers)

    async def _take(self, lines: Sequence[Line], indexes: Sequence[int], answers: list[SendResult]) -> None:
        bodies = [lines[index].body for index in indexes]
        taking = asyncio.ensure_future(self._intake.take(self._headers, bodies, Lane.BULK))
        try:
            await asyncio.shield(taking)
        finally:
            # Somebody who interrupts is told what was taken, so what is under way is waited for.
            for index, answer in zip(indexes, await taking, strict=True):
                answers[index] = answer

    def _write(self, lines: Sequence[Line], answers: Sequence[SendResult]) -> None:
        for line, answer in zip(lines, answers, strict=True):
            self._results.write(result_row(line, answer))
            self.totals.add(line, answer)
        self._results.flush()


def result_row(line: Line, answer: SendResult) -> bytes:
    """Return a line's result as a line of JSON."""
    row = {
        "line": line.number,
        "requestId": answer.request_id,
        "messageId": answer.message_id,
        "resultCode": answer.result.code,
        "resultStatus": answer.result.status,
        "resultMessage": answer.result.message,
        "remarks": answer.remarks,
    }
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _unknown(answers: Sequence[SendResult]) -> list[int]:
    return [index for index, answer in enumerate(answers) if answer.result.status is ResultStatus.U]
