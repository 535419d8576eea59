"""The read side of the ledger: look-ups and counts."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, run, unavailable
from worker.batching import chunks
from worker.contract.messages import Channel, DeliveryState, Lane
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
        rows = await self._rows(message_ids, tuple(Channel))
        return [
            WholeOutcome.of(_deliveries(dict(zip(Channel, map(text, row), strict=True)))) if row else None
            for row in rows
        ]

    async def dead_count(self) -> int:
        """Return how many dead letters there are."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.zcard(self._keys.dead(shard))
        return sum(await self._execute(pipeline))

    async def tallies(self) -> dict[tuple[str, Channel], Tally]:
        """Return the counters, summed over shards, by appId and channel."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.hgetall(self._keys.counters(shard))
        totals: dict[tuple[str, Channel], Tally] = defaultdict(Tally)
        for counters in await self._execute(pipeline):
            for field, number in counters.items():
                app_id, channel, status = text(field).rsplit("#", 2)
                totals[app_id, Channel(channel)] += Tally(**{status: int(number)})
        return dict(totals)

    async def ping(self) -> None:
        """Return when Redis answers; raise LedgerUnavailableError when it doesn't."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    async def _execute(self, pipeline: Any) -> list[Any]:  # noqa: ANN401 - redis-py's pipelines are untyped
        try:
            return list(await pipeline.execute())
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    async def _rows(self, message_ids: Sequence[str], fields: Sequence[str]) -> list[list[Any]]:
        places: list[Sequence[int]] = []
        calls = []
        for shard, indexes in _by_shard(message_ids, self._keys.shard).items():
            for chunk in chunks(indexes, _CHUNK):
                keys = [self._keys.message(shard, message_ids[index]) for index in chunk]
                places.append(chunk)
                calls.append(Call(_LOOKUP, keys, fields))
        rows: list[list[Any]] = [[] for _ in message_ids]
        for chunk, result in zip(places, await run(self._redis, calls), strict=True):
            for index, row in zip(chunk, result, strict=True):
                rows[index] = row
        return rows


def _by_shard(message_ids: Sequence[str], shard_of: Callable[[str], int]) -> dict[int, list[int]]:
    indexes: dict[int, list[int]] = defaultdict(list)
    for index, message_id in enumerate(message_ids):
        indexes[shard_of(message_id)].append(index)
    return indexes


def _outcome(message_id: str, row: list[Any]) -> MessageOutcome | None:
    if not row:
        return None
    record = {text(field): text(value) for field, value in zip(row[::2], row[1::2], strict=True)}
    return MessageOutcome(
        message_id=message_id,
        app_id=record["app"],
        request_id=record["req"],
        client_id=record["client"],
        lane=Lane(record["lane"]),
        template_code=record["tpl"],
        template_version=int(record["ver"]),
        language=record["lang"],
        taken_at=int(record["taken"]),
        expires_at=int(record["exp"]),
        deliveries=_deliveries(record),
        attempts=int(record.get("attempt", 0)),
        tries=int(record.get("tries", 0)),
        crashes=int(record.get("crashes", 0)),
        next_at=int(record["nb"]) if record.get("nb") else None,
        dead_cause=record.get("dead", ""),
        timeline=_timeline(record),
        interventions=_interventions(record),
    )


def _deliveries(record: Mapping[str, str]) -> tuple[DeliveryOutcome, ...]:
    return tuple(_delivery(channel, record[channel]) for channel in Channel if record.get(channel))


def _delivery(channel: Channel, field: str) -> DeliveryOutcome:
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
