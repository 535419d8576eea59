"""Publishes hints from a thread of its own, so that neither intake nor delivery waits for the broker."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import structlog

from worker.batching import chunks
from worker.contract.messages import CHUNK, Hint, HintKind, Lane

_MOST_WAITING = 200_000
"""Ids beyond which new hints are dropped: they fall due in the ledger."""

_TASK = 4 * CHUNK
"""Most ids of a task. A task costs what 20 messages do, so a backlog's should be large; but what a process can't start
soon it keeps from others until it gives it back, so not larger."""
_TASKS = 4
"""Tasks that what goes out together is spread over at least, where each would still be a chunk: others work too."""

_PACE = 0.004
"""Seconds between the beginnings of two rounds of publishing: what comes meanwhile shares tasks. A task costs two
processes a millisecond, however few messages it names."""

log = structlog.get_logger(__name__)

Send = Callable[[Sequence[Hint]], None]
"""Takes hints of one lane, which become one task."""


class HintPublisher:
    """Implements `ports.Hints`. What gathers while some are being sent goes out together after them.

    Hints of one lane and shard are merged, and small ones of several shards share a task: running a task costs as much
    as hundreds of ids. A hint of suspects is merged with nothing and has a task of its own.
    """

    def __init__(self, send: Send) -> None:
        """Keep `send`, which puts hints on the broker and may raise; the thread starts with the first hint."""
        self._send = send
        self._changed = threading.Condition()
        self._waiting: dict[tuple[Lane, int], list[str]] = defaultdict(list)
        self._suspects: list[Hint] = []
        self._number = 0
        self._busy = False
        self._failing = False
        self._thread: threading.Thread | None = None

    def publish(self, hints: Sequence[Hint]) -> None:
        """Hand hints to the broker soon; never blocks, never raises."""
        if not hints:
            return  # the thread would wake for nothing, and take the interpreter from its caller
        with self._changed:
            for hint in hints:
                if self._number + len(hint.message_ids) > _MOST_WAITING:
                    log.warning("hints_dropped", messages=len(hint.message_ids))
                    continue
                if hint.kind is HintKind.NORMAL:
                    self._waiting[hint.lane, hint.shard] += hint.message_ids
                else:
                    self._suspects.append(hint)
                self._number += len(hint.message_ids)
            if self._number and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hint-publisher", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until everything was handed to the broker, at most for so long; say whether it was."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._number and not self._busy, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._number > 0)
                waiting, self._waiting = self._waiting, defaultdict(list)
                suspects, self._suspects = self._suspects, []
                self._number, self._busy = 0, True
            begun = time.monotonic()
            for together in chain(_together(waiting), ([hint] for hint in suspects)):
                self._send_together(together)
            time.sleep(max(0.0, begun + _PACE - time.monotonic()))
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _send_together(self, hints: Sequence[Hint]) -> None:
        try:
            self._send(hints)
        except Exception as error:  # noqa: BLE001 - whatever the broker does, the ledger keeps the work
            if not self._failing:
                log.warning("hints_not_published", reason=type(error).__name__)
            self._failing = True
        else:
            if self._failing:
                log.info("hints_published_again")
            self._failing = False


def _together(waiting: dict[tuple[Lane, int], list[str]]) -> Iterator[list[Hint]]:
    """Yield the hints of each task, interactive sends first."""
    for lane in Lane:
        hints = list(_merged(waiting, lane))
        most = min(_TASK, max(CHUNK, sum(len(hint.message_ids) for hint in hints) // _TASKS))
        together, size = list[Hint](), 0
        for hint in hints:
            if size + len(hint.message_ids) > most:
                yield together
                together, size = [], 0
            together.append(hint)
            size += len(hint.message_ids)
        if together:
            yield together


def _merged(waiting: dict[tuple[Lane, int], list[str]], lane: Lane) -> Iterator[Hint]:
    for (of, shard), ids in waiting.items():
        if of is lane:
            for chunk in chunks(ids, CHUNK):
                yield Hint(lane, shard, tuple(chunk))
