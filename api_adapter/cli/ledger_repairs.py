"""What `tidings ledger check --repair` says of what it mended."""

from collections.abc import Iterator, Sequence
from itertools import islice

from api_adapter.cli.ledger_names import (
    Shard,
    callback_json,
    callback_text,
    counter_json,
    counter_text,
    message_json,
    message_text,
)
from worker.contract.repairs import (
    BatchRecounted,
    CallbackMend,
    Mend,
    Mended,
    MendedCallback,
    Recounted,
    ShardRepair,
)

_DONE = {
    Mend.PUT_BACK: "put back, it is due now",
    Mend.TAKEN_OUT: "taken out of every index of open messages",
    Mend.MOVED_IN: "left in one of its homes",
    Mend.MADE_ROOM: "taken out of that window",
    Mend.INDEXED: "in the right indexes again",
}
_CALLBACK_DONE = {
    CallbackMend.PUT_BACK: "put into the outbox, it is told now",
    CallbackMend.TAKEN_OUT: "taken out, it is not told any more",
    CallbackMend.MOVED_IN: "left in one of its places",
}


def repair_lines(repairs: Sequence[ShardRepair], names: int) -> Iterator[str]:
    """Yield a line for each thing that was mended; of messages at most `names`, and how many more there are."""
    for repair in repairs:
        for backlog in repair.relisted:
            place = f"shard {repair.shard}, app {backlog.origin.text}, lane {backlog.lane}"
            yield f"mended: {place}: its backlog was in no index, it is released again"
    mended = _mended(repairs)
    for one in islice(mended, names):
        yield f"mended: {message_text(one.message)}: {one.message.fault}: {_DONE[one.mend]}"
    if len(mended) > names:
        yield f"mended: and {len(mended) - names:,} more messages; raise --names to see them"
    yield from _callback_lines(repairs, names)
    yield from _counter_lines(repairs)
    if not any(map(_mends_something, repairs)):
        yield "nothing to mend"


def _callback_lines(repairs: Sequence[ShardRepair], names: int) -> Iterator[str]:
    for repair in repairs:
        for app_id in repair.queues:
            place = f"shard {repair.shard}, app {app_id}"
            yield f"mended: {place}: its queue of callbacks was in no index, it is told of again"
    callbacks = _mended_callbacks(repairs)
    for one in islice(callbacks, names):
        named = callback_text(one.callback.key)
        yield f"mended: {named}: {one.callback.fault}: {_CALLBACK_DONE[one.mend]}"
    if len(callbacks) > names:
        yield f"mended: and {len(callbacks) - names:,} more callbacks; raise --names to see them"


def _counter_lines(repairs: Sequence[ShardRepair]) -> Iterator[str]:
    for repair in repairs:
        counts: tuple[Recounted | BatchRecounted, ...] = (*repair.recounted, *repair.batches)
        for count in counts:
            named = counter_text(repair.shard, count)
            yield f"mended: {named}: {count.status} was {count.before:,}, is {count.after:,} as the records say"


def _mends_something(repair: ShardRepair) -> bool:
    messages, callbacks = repair.mended or repair.relisted, repair.callbacks or repair.queues
    return bool(messages or callbacks or repair.recounted or repair.batches)


def repairs_json(repairs: Sequence[ShardRepair], names: int) -> dict[str, object]:
    """Return the same for programs."""
    mended, callbacks = _mended(repairs), _mended_callbacks(repairs)
    return {
        "backlogs": [
            {
                "shard": repair.shard,
                "appId": backlog.origin.app_id,
                "batchId": backlog.origin.batch_id or None,
                "lane": backlog.lane,
            }
            for repair in repairs
            for backlog in repair.relisted
        ],
        "messagesNumber": len(mended),
        "messages": [{**message_json(one.message), "mend": one.mend.name} for one in mended[:names]],
        "counters": [_recounted_json(repair.shard, count) for repair in repairs for count in repair.recounted],
        "batchCounters": [_recounted_json(repair.shard, count) for repair in repairs for count in repair.batches],
        "callbacksNumber": len(callbacks),
        "callbacks": [
            {**callback_json(one.callback.key), "fault": one.callback.fault.name, "mend": one.mend.name}
            for one in callbacks[:names]
        ],
        "queues": [{"shard": repair.shard, "appId": app_id} for repair in repairs for app_id in repair.queues],
    }


def _recounted_json(shard: Shard, count: Recounted | BatchRecounted) -> dict[str, object]:
    return {**counter_json(shard, count), "before": count.before, "after": count.after}


def _mended(repairs: Sequence[ShardRepair]) -> list[Mended]:
    return [one for repair in repairs for one in repair.mended]


def _mended_callbacks(repairs: Sequence[ShardRepair]) -> list[MendedCallback]:
    return [one for repair in repairs for one in repair.callbacks]
