"""What is paused in Redis: scripts that each change one shard, and the sweepers' look at what expires there."""

from collections.abc import Iterable, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.batching import chunks
from worker.contract.messages import CHUNK, Hint, Lane
from worker.contract.origins import Origin, Pause

_PAUSE = Script.read("pause_origin")
_RESUME = Script.read("resume_origin")
_STOP = Script.read("stop_messages")
_EXPIRE = Script.read("expire_stopped")
_ORIGINS_A_CALL = 64


class RedisPauses:
    """Implements `origin_ports.Pauses`. `now` gives the time for tests; in service it is Redis' own."""

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

    async def pause(self, origin: Origin) -> bool:
        """Pause a merchant with all its batches, or one batch: what is not in a worker's hands stays."""
        return await self._pause(origin, "pause")

    async def close(self, batch: Origin) -> None:
        """Pause a batch for good: what a gateway was asked for goes on."""
        await self._pause(batch, "close")

    async def _pause(self, origin: Origin, how: str) -> bool:
        shards = range(self._keys.shards)
        calls = [Call(_PAUSE, self._pause_keys(shard), [self._now(), origin.text, how]) for shard in shards]
        new = await run(self._redis, calls)
        for shard in shards:
            for lane in Lane:
                await self._stop(shard, lane, origin)
        return not any(new)

    def _pause_keys(self, shard: int) -> list[str]:
        return [self._keys.paused(shard), self._keys.closed(shard), *self._listings(shard)]

    def _listings(self, shard: int) -> list[str]:
        keys = self._keys
        return [key for lane in Lane for key in (keys.backlogs(shard, lane), keys.stopped(shard, lane))]

    async def _stop(self, shard: int, lane: Lane, origin: Origin) -> None:
        """Move what is due and was never claimed back into its backlogs: at most a window of it."""
        keys = self._keys
        place = f"{lane}#{origin.app_id}"
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.zrange(keys.window(shard), f"[{place}#", f"({place}$", bylex=True)
        (members,) = await execute(pipeline)
        ids = [text(member).rpartition("#")[2] for member in members]
        for some in chunks(ids, CHUNK):
            records = keys.messages(shard, some)
            batches = await self._batches(records) if not origin.batch_id else {origin.batch_id}
            calls = [self._stop_call(shard, lane, Origin(origin.app_id, batch), some) for batch in sorted(batches)]
            await run(self._redis, calls)

    async def _batches(self, records: Iterable[str]) -> set[str]:
        pipeline = self._redis.pipeline(transaction=False)
        for record in records:
            pipeline.hget(record, "batch")
        return {text(batch or b"") for batch in await execute(pipeline)}

    def _stop_call(self, shard: int, lane: Lane, origin: Origin, ids: Sequence[str]) -> Call:
        keys = self._keys
        shared = [
            keys.due(shard),
            keys.window(shard),
            keys.backlog(shard, lane, origin),
            keys.stopped(shard, lane),
            keys.paused(shard),
        ]
        records = keys.messages(shard, ids)
        return Call(_STOP, shared + records, [lane, *origin, *ids])

    async def resume(self, origin: Origin) -> bool:
        """Let it go on. What was paused by itself stays paused: a batch of the merchant, the merchant of the batch."""
        keys = self._keys
        arguments = [self._now(), origin.text, self._limits.retention]
        calls = [
            Call(
                _RESUME,
                [keys.paused(shard), keys.started(shard), keys.staged(shard), *self._listings(shard)],
                arguments,
            )
            for shard in range(keys.shards)
        ]
        return any(await run(self._redis, calls))

    async def paused(self) -> list[Pause]:
        """Return what is paused, by appId and batchId; staged batches too."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            pipeline.zrange(self._keys.paused(shard), 0, -1, withscores=True)
        since: dict[Origin, int] = {}
        for members in await execute(pipeline):
            for member, at in members:
                origin = Origin.read(text(member))
                since[origin] = min(since.get(origin, int(at)), int(at))
        return [Pause(origin, since[origin]) for origin in sorted(since)]

    async def expire(self) -> list[Hint]:
        """Make due what is past its deadline in paused backlogs, at most a chunk per shard and lane; return hints."""
        places = [(shard, lane) for shard in range(self._keys.shards) for lane in Lane]
        now = await ledger_time(self._redis, self._now)
        pipeline = self._redis.pipeline(transaction=False)
        for shard, lane in places:
            pipeline.zrange(self._keys.stopped(shard, lane), "-inf", now, byscore=True, offset=0, num=_ORIGINS_A_CALL)
        listed = dict(zip(places, await execute(pipeline), strict=True))
        stopped = {place: [Origin.read(text(one)) for one in members] for place, members in listed.items() if members}
        moved = await run(self._redis, [self._expire_call(*place, origins) for place, origins in stopped.items()])
        return [
            Hint(lane, shard, tuple(map(text, ids))) for (shard, lane), ids in zip(stopped, moved, strict=True) if ids
        ]

    def _expire_call(self, shard: int, lane: Lane, origins: Sequence[Origin]) -> Call:
        keys = self._keys
        shared = [keys.due(shard), keys.window(shard), keys.stopped(shard, lane), keys.staged(shard)]
        backlogs = [keys.backlog(shard, lane, origin) for origin in origins]
        arguments = [self._now(), lane, self._limits.grace, CHUNK, *(origin.text for origin in origins)]
        return Call(_EXPIRE, shared + backlogs, arguments)
