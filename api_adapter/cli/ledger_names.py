"""How `tidings ledger check` names messages, callbacks and counters: in a line, and for programs."""

from typing import TypeAlias

from worker.contract.audits import Misplaced
from worker.contract.callbacks import CallbackKey, OutcomeKey
from worker.contract.counting import BatchMiscount, Miscount
from worker.contract.repairs import BatchRecounted, Recounted

Shard: TypeAlias = int | str
"""A shard's number, or what stands in its place for batch jobs."""
Counter: TypeAlias = Miscount | Recounted | BatchMiscount | BatchRecounted


def message_text(message: Misplaced) -> str:
    """Return how a message is named in a line."""
    known = f"requestId {message.request_id}, app {message.app_id}" if message.request_id else "no requestId"
    return f"{known}, messageId {message.message_id}"


def message_json(message: Misplaced) -> dict[str, object]:
    """Return the name of a message, and what is wrong with it."""
    return {
        "requestId": message.request_id or None,
        "appId": message.app_id or None,
        "messageId": message.message_id,
        "fault": message.fault.name,
    }


def callback_text(key: CallbackKey) -> str:
    """Return how a callback is named in a line."""
    if isinstance(key, OutcomeKey):
        return f"callback {key.finality} of app {key.app_id}, messageId {key.message_id}"
    return f"callback of app {key.app_id}, batch {key.batch_id}, {key.percentage} %"


def callback_json(key: CallbackKey) -> dict[str, object]:
    """Return the name of a callback."""
    if isinstance(key, OutcomeKey):
        return {"appId": key.app_id, "messageId": key.message_id, "finality": key.finality}
    return {"appId": key.app_id, "batchId": key.batch_id, "percentage": key.percentage}


def counter_text(shard: Shard, counter: Counter) -> str:
    """Return whose counter it is, as a line names it."""
    if isinstance(counter, Miscount | Recounted):
        return f"shard {shard}, app {counter.app_id}, {counter.channel}"
    return f"shard {shard}, app {counter.origin.app_id}, batch {counter.origin.batch_id}"


def counter_json(shard: Shard, counter: Counter) -> dict[str, object]:
    """Return whose counter it is, and of which status."""
    if isinstance(counter, Miscount | Recounted):
        named = {"appId": counter.app_id, "channel": counter.channel}
    else:
        named = {"appId": counter.origin.app_id, "batchId": counter.origin.batch_id}
    return {"shard": shard, **named, "status": counter.status}
