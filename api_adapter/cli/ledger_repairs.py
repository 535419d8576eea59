"""What `tidings ledger check --repair` says of what it mended."""

from collections.abc import Iterator, Sequence
from itertools import islice

from worker.contract.audits import Misplaced
from worker.contract.repairs import Mend, Mended, ShardRepair

_DONE = {
    Mend.PUT_BACK: "put back, it is due now",
    Mend.TAKEN_OUT: "taken out of every index of open messages",
    Mend.MOVED_IN: "left in one of its homes",
    Mend.MADE_ROOM: "taken out of that window",
    Mend.INDEXED: "in the right indexes again",
}


def identity(message: Misplaced) -> str:
    """Return how a message is named in a line."""
    known = f"requestId {message.request_id}, app {message.app_id}" if message.request_id else "no requestId"
    return f"{known}, messageId {message.message_id}"


def repair_lines(repairs: Sequence[ShardRepair], names: int) -> Iterator[str]:
    """Yield a line for each thing that was mended; of messages at most `names`, and how many more there are."""
    for repair in repairs:
        for backlog in repair.relisted:
            place = f"shard {repair.shard}, app {backlog.origin.text}, lane {backlog.lane}"
            yield f"mended: {place}: its backlog was in no index, it is released again"
    mended = _mended(repairs)
    for one in islice(mended, names):
        yield f"mended: {identity(one.message)}: {one.message.fault}: {_DONE[one.mend]}"
    if len(mended) > names:
        yield f"mended: and {len(mended) - names:,} more messages; raise --names to see them"
    for repair in repairs:
        for count in repair.recounted:
            place = f"shard {repair.shard}, app {count.app_id}, {count.channel}"
            yield f"mended: {place}: {count.status} was {count.before:,}, is {count.after:,} as the records say"
    if not any(repair.relisted or repair.mended or repair.recounted for repair in repairs):
        yield "nothing to mend"


def repairs_json(repairs: Sequence[ShardRepair], names: int) -> dict[str, object]:
    """Return the same for programs."""
    mended = _mended(repairs)
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
        "messages": [
            {
                "requestId": one.message.request_id or None,
                "appId": one.message.app_id or None,
                "messageId": one.message.message_id,
                "fault": one.message.fault.name,
                "mend": one.mend.name,
            }
            for one in mended[:names]
        ],
        "counters": [
            {
                "shard": repair.shard,
                "appId": count.app_id,
                "channel": count.channel,
                "status": count.status,
                "before": count.before,
                "after": count.after,
            }
            for repair in repairs
            for count in repair.recounted
        ],
    }


def _mended(repairs: Sequence[ShardRepair]) -> list[Mended]:
    return [one for repair in repairs for one in repair.mended]
