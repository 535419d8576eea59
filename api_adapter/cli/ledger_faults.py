"""What `tidings ledger check` says of the faults that it found."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from api_adapter.cli.ledger_names import (
    Shard,
    callback_json,
    callback_text,
    counter_json,
    counter_text,
    message_json,
    message_text,
)
from worker.contract.audits import Misplaced, ShardAudit
from worker.contract.callback_audits import MisplacedCallback
from worker.contract.counting import BatchMiscount, Miscount

Fault = TypeVar("Fault", Misplaced, MisplacedCallback)


def fault_lines(audits: Sequence[ShardAudit], names: int) -> Iterator[str]:
    """Yield a line for each fault; of messages and of callbacks at most `names`, and how many more there are."""
    for audit in audits:
        counts: tuple[Miscount | BatchMiscount, ...] = (*audit.miscounts, *audit.batches)
        for count in counts:
            named = counter_text(audit.shard, count)
            yield f"{named}: {count.counted:,} counted as {count.status}, {count.found:,} records say so"
        for app_id in audit.unlisted:
            yield f"shard {audit.shard}, app {app_id}: its queue of callbacks is in no index"
    yield from _some(_messages(audits), names, lambda one: f"{message_text(one)}: {one.fault}")
    yield from _some(_callbacks(audits), names, lambda one: f"{callback_text(one.key)}: {one.fault}")


def _some(faults: Sequence[Fault], names: int, line: Callable[[Fault], str]) -> Iterator[str]:
    yield from map(line, islice(faults, names))
    if len(faults) > names:
        yield f"and {len(faults) - names:,} more that differ; raise --names to see them"


def faults_json(audits: Sequence[ShardAudit], names: int) -> dict[str, object]:
    """Return the same for programs."""
    messages, callbacks = _messages(audits), _callbacks(audits)
    return {
        "miscounts": [_miscount_json(audit.shard, count) for audit in audits for count in audit.miscounts],
        "batchMiscounts": [_miscount_json(audit.shard, count) for audit in audits for count in audit.batches],
        "misplacedNumber": len(messages),
        "misplaced": [message_json(one) for one in messages[:names]],
        "callbacksNumber": len(callbacks),
        "callbacks": [{**callback_json(one.key), "fault": one.fault.name} for one in callbacks[:names]],
        "unlistedQueues": [{"shard": audit.shard, "appId": app_id} for audit in audits for app_id in audit.unlisted],
    }


def _miscount_json(shard: Shard, count: Miscount | BatchMiscount) -> dict[str, object]:
    return {**counter_json(shard, count), "counted": count.counted, "found": count.found}


def _messages(audits: Sequence[ShardAudit]) -> list[Misplaced]:
    return [message for audit in audits for message in audit.misplaced]


def _callbacks(audits: Sequence[ShardAudit]) -> list[MisplacedCallback]:
    return [callback for audit in audits for callback in audit.callbacks]
