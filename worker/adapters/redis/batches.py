"""Batches in Redis: their counters, their rows, and whether a staged one runs or is withdrawn."""

from collections.abc import Sequence
from dataclasses import fields

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.contract.messages import CHUNK, Lane
from worker.contract.origins import BatchRow, BatchTally, Decision, Origin

_DECIDE = Script.read("decide_batch")
_FORGET = Script.read("forget_batch")
_WITHDRAW = Script.read("withdraw_messages")
_DECIDED_FOR = 30 * 86_400_000
"""Milliseconds that a decision is remembered: longer than all workers together are ever away."""
_STATUSES = tuple(field.name for field in fields(BatchTally))


class RedisBatches:
    """Implements `origin_ports.Batches`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        limits: LedgerLimits | None = None,
        now: Now = server_time,
    ) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._limits = limits or LedgerLimits()
        self._now = now
        self._pauses = RedisPauses(redis, keys, limits, now)

    async def tally(self, batch: Origin) -> BatchTally:
        """Return how many messages of a batch have which outcome."""
        (tally,) = await self.tallies([batch])
        return tally

    async def tallies(self, batches: Sequence[Origin]) -> list[BatchTally]:
        """Return the same of several, in order."""
        names = [f"{batch.text}#{status}" for batch in batches for status in _STATUSES]
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.hmget(self._keys.batches(shard), names)
        shards = await execute(pipeline) if batches else []
        return [
            sum((_tally(numbers[start : start + len(_STATUSES)]) for numbers in shards), start=BatchTally())
            for start in range(0, len(names), len(_STATUSES))
        ]

    async def rows(self, batch: Origin, first: int, number: int) -> list[BatchRow]:
        """Return the messages with rows from `first` on, `number` rows at most, in order; rows may be missing."""
        start, end = (f"{batch.text}#{row:08d}" for row in (first, first + number))
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.zrange(self._keys.rows(shard), f"[{start}", f"({end}", bylex=True)
        members = (text(member).split("#") for page in await execute(pipeline) for member in page)
        return sorted(BatchRow(int(row), message_id) for *_, row, message_id in members)

    async def run(self, batch: Origin) -> bool:
        """Let a staged batch be sent, for good; False where it was withdrawn before. Safe to repeat."""
        return await self._carry_out(batch, await self._decide(batch, Decision.RUN)) is Decision.RUN

    async def withdraw(self, batch: Origin) -> bool:
        """Erase a staged batch as if it had never been taken; False where it runs already. Safe to repeat."""
        return await self._carry_out(batch, await self._decide(batch, Decision.WITHDRAW)) is Decision.WITHDRAW

    async def withdraw_forgotten(self) -> None:
        """End what was staged for too long: it is withdrawn, or was decided to run by somebody who died over it."""
        now = await ledger_time(self._redis, self._now)
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.zrange(self._keys.staged(shard), "-inf", now, byscore=True)
        for batch in sorted({text(member) for members in await execute(pipeline) for member in members}):
            await self.withdraw(Origin.read(batch))

    async def forget(self, batch: Origin) -> None:
        """Forget that a batch was paused, closed or resumed, where no message of it is left."""
        keys = self._keys
        calls = [
            Call(
                _FORGET,
                [keys.batches(shard), keys.paused(shard), keys.started(shard), keys.closed(shard)],
                [batch.text],
            )
            for shard in range(keys.shards)
        ]
        await run(self._redis, calls)

    async def _decide(self, batch: Origin, wanted: Decision) -> Decision:
        """Decide unless somebody has; return what is decided."""
        call = Call(_DECIDE, [self._keys.decision(batch)], [wanted, _DECIDED_FOR])
        (decision,) = await run(self._redis, [call])
        return Decision(text(decision))

    async def _carry_out(self, batch: Origin, decision: Decision) -> Decision:
        if decision is Decision.RUN:
            await self._pauses.resume(batch)
        else:
            for shard in range(self._keys.shards):
                await self._withdraw(shard, batch)
        return decision

    async def _withdraw(self, shard: int, batch: Origin) -> None:
        while True:
            pipeline = self._redis.pipeline(transaction=False)
            for lane in Lane:
                place = f"{lane}#{batch.text}"
                pipeline.zrange(self._keys.backlog(shard, lane, batch), 0, CHUNK // 4 - 1)
                pipeline.zrange(
                    self._keys.plans(shard), f"[{place}#", f"({place}$", bylex=True, offset=0, num=CHUNK // 4
                )
            members = [text(member) for found in await execute(pipeline) for member in found]
            ids = [member.split("#")[-2] if "#" in member else member for member in members]
            (erased,) = await run(self._redis, [self._withdraw_call(shard, batch, ids)])
            if not erased:
                return

    def _withdraw_call(self, shard: int, batch: Origin, ids: Sequence[str]) -> Call:
        keys = self._keys
        found = [keys.paused(shard), keys.staged(shard), keys.counters(shard), keys.batches(shard), keys.rows(shard)]
        for lane in Lane:
            found += (keys.backlog(shard, lane, batch), keys.stopped(shard, lane))
        found += (keys.scheduled(shard), keys.plans(shard))
        found += keys.pairs(shard, ids)
        return Call(_WITHDRAW, found, [*batch, *ids])


def _tally(numbers: Sequence[bytes | None]) -> BatchTally:
    return BatchTally(*(int(number or 0) for number in numbers))
