"""What `tidings ledger check` says of the faults that it found."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from worker.contract.audits import Misplaced, ShardAudit
from worker.contract.callback_audits import MisplacedCallback
from worker.contract.callbacks import CallbackKey, OutcomeKey

Fault = TypeVar("Fault", Misplaced, MisplacedCallback)


def identity(message: Misplaced) -> str:
    """Return how a message is named in a line."""
    known = f"requestId {message.request_id}, app {message.app_id}" if message.request_id else "no requestId"
    return f"{known}, messageId {message.message_id}"


def callback_identity(key: CallbackKey) -> str:
    """Return how a callback is named in a line."""
    if isinstance(key, OutcomeKey):
        return f"callback {key.finality} of app {key.app_id}, messageId {key.message_id}"
    return f"callback of app {key.app_id}, batch {key.batch_id}, {key.percentage} %"


def callback_json(key: CallbackKey) -> dict[str, object]:
    """Return the name of a callback for programs."""
    if isinstance(key, OutcomeKey):
        return {"appId": key.app_id, "messageId": key.message_id, "finality": key.finality}
    return {"appId": key.app_id, "batchId": key.batch_id, "percentage": key.percentage}


def fault_lines(audits: Sequence[ShardAudit], names: int) -> Iterator[str]:
    """Yield a line for each fault; of messages and of callbacks at most `names`, and how many more there are."""
    for audit in audits:
        for count in audit.miscounts:
            place = f"shard {audit.shard}, app {count.app_id}, {count.channel}"
            yield f"{place}: {count.counted:,} counted as {count.status}, {count.found:,} records say so"
        for counter in audit.batches:
            place = f"shard {audit.shard}, app {counter.origin.app_id}, batch {counter.origin.batch_id}"
            yield f"{place}: {counter.counted:,} counted as {counter.status}, {counter.found:,} records say so"
        for app_id in audit.unlisted:
            yield f"shard {audit.shard}, app {app_id}: its queue of callbacks is in no index"
    yield from _some(misplaced(audits), names, lambda one: f"{identity(one)}: {one.fault}")
    yield from _some(misplaced_callbacks(audits), names, lambda one: f"{callback_identity(one.key)}: {one.fault}")


def _some(faults: Sequence[Fault], names: int, line: Callable[[Fault], str]) -> Iterator[str]:
    yield from map(line, islice(faults, names))
    if len(faults) > names:
        yield f"and {len(faults) - names:,} more that differ; raise --names to see them"


def faults_json(audits: Sequence[ShardAudit], names: int) -> dict[str, object]:
    """Return the same for programs."""
    messages, callbacks = misplaced(audits), misplaced_callbacks(audits)
    return {
        "miscounts": [
            {
                "shard": audit.shard,
                "appId": count.app_id,
                "channel": count.channel,
                "status": count.status,
                "counted": count.counted,
                "found": count.found,
            }
            for audit in audits
            for count in audit.miscounts
        ],
        "batchMiscounts": [
            {
                "shard": audit.shard,
                "appId": count.origin.app_id,
                "batchId": count.origin.batch_id,
                "status": count.status,
                "counted": count.counted,
                "found": count.found,
            }
            for audit in audits
            for count in audit.batches
        ],
        "misplacedNumber": len(messages),
        "misplaced": [
            {
                "requestId": one.request_id or None,
                "appId": one.app_id or None,
                "messageId": one.message_id,
                "fault": one.fault.name,
            }
            for one in messages[:names]
        ],
        "callbacksNumber": len(callbacks),
        "callbacks": [{**callback_json(one.key), "fault": one.fault.name} for one in callbacks[:names]],
        "unlistedQueues": [{"shard": audit.shard, "appId": app_id} for audit in audits for app_id in audit.unlisted],
    }


def misplaced(audits: Iterable[ShardAudit]) -> list[Misplaced]:
    """Return the messages whose home contradicts their record."""
    return [message for audit in audits for message in audit.misplaced]


def misplaced_callbacks(audits: Iterable[ShardAudit]) -> list[MisplacedCallback]:
    """Return the callbacks whose place contradicts their record."""
    return [callback for audit in audits for callback in audit.callbacks]
