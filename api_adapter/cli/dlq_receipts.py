"""The receipt of a replay: a JSON object a line, written as it goes, so that an interrupted run can go on.

A run begins with `{"run", "startedAt", "selection"}` and ends with `{"finished": {"sent", "suppressed", "failed"}}`.
Between them, a line for each message says what became of it, and a `{"trying": [lines]}` before each step says what
will become of its messages if nothing goes wrong: whoever goes on asks the ledger whether it did.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from api_adapter.cli.arguments import ArgumentError
from worker.contract.dead_letters import DeadLetter, Replayed

SENT, SUPPRESSED, FAILED = "sent", "suppressed", "failed"
_RESULTS = {Replayed.SENT: SENT, Replayed.SUPPRESSED: SUPPRESSED, Replayed.REFUSED: FAILED, Replayed.EMPTY: FAILED}
_REASONS = {Replayed.REFUSED: "it is no dead letter any more", Replayed.EMPTY: "its payload is gone"}

Line = dict[str, Any]


class FileReceipt:
    """Implements `worker.replay.Receipt` on a file; goes on with its last run if that one has no end."""

    def __init__(self, path: Path, selection: Mapping[str, object], fresh_run: str, now: int) -> None:
        """Read what is there, and begin a run if none is to go on.

        Raises ArgumentError for a file that is no receipt, or whose unfinished run is of another selection.
        """
        self.path = path
        lines = _last_run(path)
        self.resumed = bool(lines)
        self._file: BinaryIO = path.open("ab")
        if not lines:
            lines = [{"run": fresh_run, "startedAt": now, "selection": dict(selection)}]
            self._write(lines)
        head, *rest = lines
        if head["selection"] != selection:
            self._file.close()
            raise ArgumentError(f"--receipt: {path} has an unfinished replay of another selection; name another file")
        self.run: str = head["run"]
        self.started_at: int = head["startedAt"]
        self._results: dict[str, str] = {line["messageId"]: line["result"] for line in rest if "result" in line}
        self._pending = {one["messageId"]: one for line in rest for one in line.get("trying", ())}

    def knows(self, message_id: str) -> bool:
        """Say whether it is noted already what became of a message."""
        return message_id in self._results

    @property
    def pending(self) -> list[str]:
        """Messages of the step that was interrupted: nobody noted what became of them."""
        return [message_id for message_id in self._pending if not self.knows(message_id)]

    @property
    def counts(self) -> dict[str, int]:
        """Messages by result, of the whole run."""
        found = Counter(self._results.values())
        return {result: found[result] for result in (SENT, SUPPRESSED, FAILED)}

    def confirm(self, message_ids: Iterable[str]) -> None:
        """Note that the step before the interruption did reach these."""
        self._note([self._pending[message_id] for message_id in message_ids])

    def trying(self, letters: Sequence[DeadLetter]) -> None:
        """Note letters that may have been replayed, whatever happens next."""
        if letters:
            self._write([{"trying": [_line(letter, _expected(letter)) for letter in letters]}])

    def replayed(self, letters: Sequence[DeadLetter], results: Sequence[Replayed]) -> None:
        """Note what became of letters."""
        self._note([_line(letter, result) for letter, result in zip(letters, results, strict=True)])

    def absent(self, message_ids: Sequence[str]) -> None:
        """Note what was named and is no dead letter."""
        self._note([{"messageId": one, "result": FAILED, "reason": "it is no dead letter"} for one in message_ids])

    def finish(self) -> None:
        """End the run."""
        self._write([{"finished": self.counts}])
        self._file.close()

    def _note(self, lines: Sequence[Line]) -> None:
        self._write(lines)
        self._results |= {line["messageId"]: line["result"] for line in lines}

    def _write(self, lines: Sequence[Line]) -> None:
        self._file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        self._file.flush()
        os.fsync(self._file.fileno())


def _last_run(path: Path) -> list[Line]:
    """Return the lines of a file's last run if it has no end; a line that was cut off is cut from the file."""
    if not path.exists():
        return []
    whole = path.read_bytes()
    kept = whole[: whole.rfind(b"\n") + 1]
    lines = _lines(kept)
    starts = [index for index, line in enumerate(lines) if "run" in line]
    if whole and not starts:
        raise ArgumentError(f"--receipt: {path} is no receipt of a replay; name another file")
    os.truncate(path, len(kept))
    return lines[starts[-1] :] if lines and "finished" not in lines[-1] else []


def _lines(text: bytes) -> list[Line]:
    try:
        lines = [orjson.loads(line) for line in text.splitlines()]
    except ValueError:
        return []
    return lines if all(isinstance(line, dict) for line in lines) else []


def _expected(letter: DeadLetter) -> Replayed:
    return Replayed.SENT if letter.given_up else Replayed.SUPPRESSED


def _line(letter: DeadLetter, result: Replayed) -> Line:
    line: Line = {
        "messageId": letter.message_id,
        "appId": letter.app_id,
        "requestId": letter.request_id,
        "result": _RESULTS[result],
    }
    if result in _REASONS:
        return {**line, "reason": _REASONS[result]}
    return {**line, "channels": {one.channel.value: SENT if one.given_up else SUPPRESSED for one in letter.channels}}
