"""What passed at the gateway, call by call, for whoever judges afterwards: independent of what any ledger says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import orjson


class JournalledCall(NamedTuple):
    """One valid call of the send endpoint. A tuple, because a busy gateway makes thousands a second."""

    at: int
    """Milliseconds since 1970 when the call had arrived in full."""
    message_ids: tuple[str, ...]
    """What it asked to deliver: idempotency keys."""
    shown: tuple[str, ...]
    """Those that users saw because of this call."""
    behaviour: str
    """What it met, such as `deliver` or `act-hang`; the first one that is not `deliver`, where its messages differ."""


Journal: TypeAlias = Callable[[JournalledCall], None]


def keep_nothing(_call: JournalledCall) -> None:
    """Forget a call: the journal of a simulator that was asked for none."""


@contextmanager
def journal_file(path: Path | None) -> Iterator[Journal]:
    """Give what appends each call to a file at once, as a line of JSON; without a path, what keeps nothing.

    Raises OSError where the file can't be opened.
    """
    if path is None:
        yield keep_nothing
        return
    with path.open("ab", buffering=0) as lines:
        yield lambda call: _write(lines.write, call)


def read_journal(path: Path) -> Iterator[JournalledCall]:
    """Yield the calls of a journal in order; none where there is no file."""
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            call = orjson.loads(line)
            yield JournalledCall(call["at"], tuple(call["messageIds"]), tuple(call["shown"]), call["behaviour"])


def _write(write: Callable[[bytes], object], call: JournalledCall) -> None:
    row = {"at": call.at, "messageIds": call.message_ids, "shown": call.shown, "behaviour": call.behaviour}
    write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
