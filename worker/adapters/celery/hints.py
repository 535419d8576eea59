"""Publishes hints from a thread of its own, so that neither intake nor delivery waits for the broker."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import structlog

from worker.batching import chunks
from worker.contract.messages import CHUNK, Hint, HintKind, Lane

_MOST_WAITING = 200_000
"""Ids beyond which new hints are dropped: they fall due in the ledger."""

log = structlog.get_logger(__name__)

Send = Callable[[Lane, int, list[str], HintKind], None]


class HintPublisher:
    """Implements `ports.Hints`. What gathers while one hint is being sent is merged, so hints grow with the load.

    A hint of suspects is merged with nothing.
    """

    def __init__(self, send: Send) -> None:
        """Keep `send`, which puts one hint on the broker and may raise; the thread starts with the first hint."""
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
            for hint in chain(_merged(waiting), suspects):
                self._send_one(hint)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _send_one(self, hint: Hint) -> None:
        try:
            self._send(hint.lane, hint.shard, list(hint.message_ids), hint.kind)
        except Exception as error:  # noqa: BLE001 - whatever the broker does, the ledger keeps the work
            if not self._failing:
                log.warning("hints_not_published", reason=type(error).__name__)
            self._failing = True
        else:
            if self._failing:
                log.info("hints_published_again")
            self._failing = False


def _merged(waiting: dict[tuple[Lane, int], list[str]]) -> Iterator[Hint]:
    single_first = sorted(waiting.items(), key=lambda item: item[0][0] is not Lane.SINGLE)
    for (lane, shard), ids in single_first:
        for chunk in chunks(ids, CHUNK):
            yield Hint(lane, shard, tuple(chunk))
