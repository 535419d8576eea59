"""The read side of the ledger: look-ups and counts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.marshalling import read_template
from worker.adapters.redis.replies import tallies_of, text
from worker.adapters.redis.scripts import Call, Script, execute, redis_answers, run_each
from worker.contract.messages import Channel, DeliveryState, Lane, WaitReason
from worker.contract.outcomes import (
    DeliveryOutcome,
    Intervention,
    InterventionKind,
    MessageOutcome,
    Tally,
    TimelineEntry,
    WholeOutcome,
)

_LOOKUP = Script.read("lookup_messages")
_CHUNK = 500
_STATUS = (*Channel, "exp")
"""Fields of a record that its status is made of."""
_TIMELINE_FIELD = re.compile(r"t(\d+)")
_INTERVENTION_FIELD = re.compile(r"n(\d+)")


class RedisRecords:
    """Implements `ports.Records`."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys

    async def find(self, message_ids: Sequence[str]) -> list[MessageOutcome | None]:
        """Return everything known of each message, None for one never seen, in order."""
        rows = await self._rows(message_ids, ())
        return [_outcome(message_id, row) for message_id, row in zip(message_ids, rows, strict=True)]

    async def statuses(self, message_ids: Sequence[str]) -> list[WholeOutcome | None]:
        """Return the whole outcome of each message, None for one never seen, in order."""
        rows = await self._rows(message_ids, _STATUS)
        return [_whole(dict(zip(_STATUS, map(text, row), strict=True))) if row else None for row in rows]

    async def dead_count(self) -> int:
        """Return how many dead letters there are."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.zcard(self._keys.dead(shard))
        return sum(await execute(pipeline))

    async def tallies(self) -> dict[tuple[str, Channel], Tally]:
        """Return the counters, summed over shards, by appId and channel."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.hgetall(self._keys.counters(shard))
        return tallies_of(await execute(pipeline))

    async def ping(self) -> None:
        """Return when Redis answers; raise LedgerUnavailableError when it doesn't."""
        with redis_answers():
            await self._redis.ping()

    async def _rows(self, message_ids: Sequence[str], fields: Sequence[str]) -> list[list[Any]]:
        def call(shard: int, ids: Sequence[str]) -> Call:
            return Call(_LOOKUP, self._keys.messages(shard, ids), fields)

        return await run_each(self._redis, message_ids, [self._keys.shard(one) for one in message_ids], call, _CHUNK)


def _outcome(message_id: str, row: list[Any]) -> MessageOutcome | None:
    if not row:
        return None
    record = {text(field): text(value) for field, value in zip(row[::2], row[1::2], strict=True)}
    version, language, code, client_id = read_template(record["tpl"])
    return MessageOutcome(
        message_id=message_id,
        app_id=record["app"],
        request_id=record["req"],
        client_id=client_id,
        lane=Lane(record["lane"]),
        template_code=code,
        template_version=version,
        language=language,
        taken_at=int(record["taken"]),
        expires_at=int(record["exp"]),
        deliveries=_deliveries(record),
        attempts=int(record.get("attempt", 0)),
        tries=int(record.get("tries", 0)),
        crashes=int(record.get("crashes", 0)),
        next_at=int(record["nb"]) if record.get("nb") else None,
        waits_for=_waits_for(record),
        dead_cause=record.get("dead", ""),
        timeline=_timeline(record),
        interventions=_interventions(record),
    )


def _waits_for(record: Mapping[str, str]) -> WaitReason | None:
    return WaitReason(record.get("why", WaitReason.RETRY)) if record.get("nb") else None


def _whole(record: Mapping[str, str]) -> WholeOutcome:
    return WholeOutcome.of(_deliveries(record), int(record["exp"]))


def _deliveries(record: Mapping[str, str]) -> tuple[DeliveryOutcome, ...]:
    return tuple(delivery(channel, record[channel]) for channel in Channel if record.get(channel))


def delivery(channel: Channel, field: str) -> DeliveryOutcome:
    """Return what a channel's field of a record says."""
    state, at, code, message = (*field.split("|", 3), "", "", "")[:4]
    return DeliveryOutcome(channel, DeliveryState(state), code, message, int(at) if at else None)


def _timeline(record: Mapping[str, str]) -> tuple[TimelineEntry, ...]:
    entries = []
    for field, entry in record.items():
        attempt = _TIMELINE_FIELD.fullmatch(field)
        if attempt:
            claimed, settled, worker, *results = entry.split("|")
            entries.append(TimelineEntry(int(attempt[1]), int(claimed), int(settled), worker, tuple(results)))
    return tuple(sorted(entries, key=lambda entry: entry.attempt))


def _interventions(record: Mapping[str, str]) -> tuple[Intervention, ...]:
    entries = []
    for field, entry in record.items():
        attempt = _INTERVENTION_FIELD.fullmatch(field)
        if attempt:
            at, kind, cause, run_id, reason = entry.split("|", 4)
            entries.append(Intervention(int(attempt[1]), int(at), InterventionKind(kind), cause, run_id, reason))
    return tuple(sorted(entries, key=lambda entry: entry.after_attempt))
