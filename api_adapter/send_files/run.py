"""One file of sends, from where it stands to its end: its chunks, their results, a checkpoint, the unknown once more.

A bad line never stops the good ones. If the process dies at any point, what its checkpoint does not know of is sent
again under the same requestIds, which sends nothing twice, and its rows are written anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

from api_adapter.send_files.checkpoints import Checkpoint, CheckpointError, CheckpointFile, counts
from api_adapter.send_files.lines import CHUNK_LINES, Line, LineReader, read_line
from api_adapter.send_files.outputs import Output
from api_adapter.send_files.rows import failed_row, result_row
from api_adapter.send_files.senders import UNASKED, LineResult, Sender, unanswered
from api_adapter.send_files.totals import Totals
from worker.contract.codes import ResultStatus
from worker.ports import Clock

MOST_UNKNOWN: Final = 10_000
"""Lines without an answer after which going on is of no use."""
_SECONDS_A_CHECKPOINT = 1.0

Advance: TypeAlias = Callable[[int, int], None]
"""Told after each chunk how many bytes and lines this run has sent."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a run reads and writes."""

    lines: BinaryIO
    results: Output
    failed: Output
    checkpoint: CheckpointFile | None
    """None for a stream that can't be read again."""


class Run:
    """Sends what is not sent yet."""

    def __init__(self, files: Files, clock: Clock) -> None:
        """Begin at the beginning of the file."""
        self._files = files
        self._clock = clock
        self._reader = LineReader(files.lines)
        self._written_at = clock.monotonic()
        self._newest: Checkpoint | None = None
        self.totals = Totals()
        self.resumed_at = 0
        """Bytes that were sent by earlier runs."""

    def begin(self) -> None:
        """Forget what earlier runs wrote. Raises OSError."""
        if self._files.checkpoint:
            self._files.checkpoint.remove()
        self._go_on_after(results=0, failed=0)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on where the checkpoint stands; raise CheckpointError where the file is another one."""
        if self._reader.pass_over(checkpoint.offset, checkpoint.line) != checkpoint.digest:
            raise CheckpointError(
                "--resume: the file is not the one that was sent: what was sent of it has changed; "
                "run without --resume to send it from its beginning (nothing is sent twice)",
            )
        self._go_on_after(checkpoint.results, checkpoint.failed)
        self.totals = checkpoint.totals()
        self.resumed_at = checkpoint.offset
        self._newest = checkpoint

    def _go_on_after(self, results: int, failed: int) -> None:
        self._files.results.begin(results)
        self._files.failed.begin(failed)

    async def send(self, sender: Sender, advance: Advance) -> None:
        """Send everything, or as far as going on is of use. Raises as `Sender.send`, and OSError."""
        try:
            if await self._ask_again(sender) and await self._send_rest(sender, advance):
                await self._ask_again(sender)
        finally:
            self._write_checkpoint()

    async def _send_rest(self, sender: Sender, advance: Advance) -> bool:
        """Send what no run has sent; return whether it was worth it to the end."""
        before = self.totals.lines
        for chunk in self._reader.chunks():
            answered = await self._send(sender, chunk)
            advance(self._reader.bytes_read - self.resumed_at, self.totals.lines - before)
            if not answered or len(self.totals.unknown) >= MOST_UNKNOWN:
                return False
            self._note()
        return True

    async def _ask_again(self, sender: Sender) -> bool:
        """Send the unknown once more; return whether there was any answer, or nothing to ask."""
        left = len(self.totals.unknown) if self._files.checkpoint else 0
        at = self._files.lines.tell() if left else 0
        while left > 0:
            lines = [read_line(self._files.lines, one.line, one.offset) for one in self.totals.unknown[:CHUNK_LINES]]
            answers = [UNASKED] * len(lines)
            await sender.send([line.body for line in lines], answers)
            if len(unanswered(answers)) == len(lines):
                return False
            self.totals.take_unknown(len(lines))
            self._count(lines, answers)
            self._note()
            left -= len(lines)
        if at:
            self._files.lines.seek(at)
        return True

    async def _send(self, sender: Sender, lines: Sequence[Line]) -> bool:
        """Return whether any line of the chunk has an answer."""
        answers = [UNASKED] * len(lines)
        try:
            await sender.send([line.body for line in lines], answers)
        finally:
            self._count(lines, answers)
        return len(unanswered(answers)) < len(lines)

    def _count(self, lines: Sequence[Line], answers: Sequence[LineResult]) -> None:
        said = list(zip(lines, answers, strict=True))
        refused = [failed_row(line, answer) for line, answer in said if answer.status is ResultStatus.F]
        self._files.results.write(b"".join([result_row(line, answer) for line, answer in said]))
        if refused:
            self._files.failed.write(b"".join(refused))
        for line, answer in said:
            self.totals.add(line, answer)

    def _note(self) -> None:
        """Keep in mind how far everything is, and write it down now and then."""
        if self._files.checkpoint is None:
            return
        self._newest = Checkpoint(
            offset=self._reader.bytes_read,
            line=self._reader.number,
            digest=self._reader.digest,
            results=self._files.results.size,
            failed=self._files.failed.size,
            codes=counts(self.totals),
            unknown=tuple(self.totals.unknown),
        )
        if self._clock.monotonic() - self._written_at >= _SECONDS_A_CHECKPOINT:
            self._write_checkpoint()

    def _write_checkpoint(self) -> None:
        if self._files.checkpoint is None or self._newest is None:
            return
        # The rows first: a checkpoint knows of nothing that is not on the disk.
        self._files.results.sync()
        self._files.failed.sync()
        self._files.checkpoint.write(self._newest)
        self._written_at = self._clock.monotonic()
