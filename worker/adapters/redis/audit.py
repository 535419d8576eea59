"""Proves the ledger from its records: the counters equal them, and every message is where it must be (DESIGN 1, 7)."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, run, unavailable
from worker.batching import chunks
from worker.contract.audits import Home, Misplaced, ShardAudit, miscounts
from worker.contract.messages import CHUNK, Channel, DeliveryState, Lane
from worker.contract.outcomes import Tally

_AUDIT = Script.read("audit_messages")
_CALLS = 10
"""Scripts in one round trip."""
_SCAN = 5_000
_COUNTED = {
    DeliveryState.OPEN: Tally(accepted=1, open=1),
    DeliveryState.S: Tally(accepted=1, S=1),
    DeliveryState.F: Tally(accepted=1, F=1),
    DeliveryState.U: Tally(accepted=1, U=1),
}
"""What a channel's state adds to the counters; a skipped one adds nothing."""


@dataclass(slots=True)
class _Reading:
    """What the records of a shard say."""

    records: int = 0
    tallies: dict[tuple[str, Channel], Tally] = field(default_factory=lambda: defaultdict(Tally))
    misplaced: list[Misplaced] = field(default_factory=list)


class RedisAudit:
    """Reads the whole ledger, a shard at a time; holds the ids of one shard in memory. Changes nothing.

    Messages move while it reads, so what differs is looked at a second time, and what still differs is a fault: ids are
    collected before the backlogs are read, and record and due index are read at one instant. A message can then seem
    misplaced only when it is released from its backlog between the two, which happens to it once.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys

    async def shards(self) -> AsyncIterator[ShardAudit]:
        """Yield what is found of each shard; raise LedgerUnavailableError when the store did not answer."""
        for shard in range(self._keys.shards):
            try:
                yield await self._shard(shard)
            except (RedisError, OSError) as error:
                raise unavailable(error) from error

    async def _shard(self, shard: int) -> ShardAudit:
        first = await self._look(shard)
        if first.clean:
            return first
        again = await self._look(shard) if first.miscounts else first
        differing = {(count.app_id, count.channel, count.status) for count in first.miscounts}
        return ShardAudit(
            shard=shard,
            records=again.records,
            miscounts=tuple(
                count for count in again.miscounts if (count.app_id, count.channel, count.status) in differing
            ),
            misplaced=await self._still_misplaced(shard, first.misplaced),
        )

    async def _look(self, shard: int) -> ShardAudit:
        before = await self._tallies(shard)
        ids = await self._recorded(shard) | await self._due(shard)
        reading = await self._read(shard, ids, await self._backlogged(shard))
        found = miscounts(before, reading.tallies, await self._tallies(shard))
        return ShardAudit(shard, reading.records, tuple(found), tuple(reading.misplaced))

    async def _still_misplaced(self, shard: int, seen: Sequence[Misplaced]) -> tuple[Misplaced, ...]:
        if not seen:
            return ()
        ids = {message.message_id for message in seen}
        reading = await self._read(shard, ids, await self._backlogged(shard) & ids)
        return tuple(reading.misplaced)

    async def _tallies(self, shard: int) -> dict[tuple[str, Channel], Tally]:
        totals: dict[tuple[str, Channel], Tally] = defaultdict(Tally)
        for counter, number in (await self._redis.hgetall(self._keys.counters(shard))).items():
            app_id, channel, status = text(counter).rsplit("#", 2)
            totals[app_id, Channel(channel)] += Tally(**{status: int(number)})
        return totals

    async def _recorded(self, shard: int) -> set[str]:
        records = self._redis.scan_iter(match=self._keys.message(shard, "*"), count=_SCAN)
        return {text(key).rpartition(":")[2] async for key in records}

    async def _due(self, shard: int) -> set[str]:
        members = self._redis.zscan_iter(self._keys.due(shard), count=_SCAN)
        return {text(member) async for member, _ in members}

    async def _backlogged(self, shard: int) -> set[str]:
        """Return what the backlogs hold; one that its index does not list is never released, so it is no home."""
        ids: set[str] = set()
        for lane in Lane:
            for app in await self._redis.zrange(self._keys.backlogs(shard, lane), 0, -1):
                backlog = self._keys.backlog(shard, lane, text(app))  # type: ignore[arg-type]  # no scores were asked for
                # From the end: what release takes from the head meanwhile makes no message be passed over.
                start = -_SCAN
                while part := await self._redis.lrange(backlog, start, start + _SCAN - 1):
                    ids.update(map(text, part))
                    start -= _SCAN
        return ids

    async def _read(self, shard: int, ids: Collection[str], backlogged: Collection[str]) -> _Reading:
        reading = _Reading()
        for part in chunks(sorted({*ids, *backlogged}), CHUNK * _CALLS):
            calls = [self._call(shard, chunk) for chunk in chunks(part, CHUNK)]
            rows = [row for rows in await run(self._redis, calls) for row in rows]
            for message_id, row in zip(part, rows, strict=True):
                _add(reading, message_id, row, backlogged=message_id in backlogged)
        return reading

    def _call(self, shard: int, ids: Sequence[str]) -> Call:
        records = [self._keys.message(shard, message_id) for message_id in ids]
        return Call(_AUDIT, [self._keys.due(shard), *records], ids)


def _add(reading: _Reading, message_id: str, row: Sequence[Any], *, backlogged: bool) -> None:
    app_id, request_id, *fields = (text(value or b"") for value in row[:4])
    states = {
        channel: DeliveryState(channel_field[0])
        for channel, channel_field in zip(Channel, fields, strict=True)
        if channel_field
    }
    reading.records += bool(app_id)
    for channel, state in states.items():
        if state in _COUNTED:
            reading.tallies[app_id, channel] += _COUNTED[state]
    home = Home(bool(app_id), DeliveryState.OPEN in states.values(), bool(row[4]), backlogged)
    if home.fault is not None:
        reading.misplaced.append(Misplaced(message_id, app_id, request_id, home.fault))
