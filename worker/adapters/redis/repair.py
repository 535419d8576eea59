"""Mends what an audit of the ledger found, while workers run: each fault is looked at once more before."""

from collections.abc import AsyncIterator, Iterable, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.callback_repair import CallbackRepair
from worker.adapters.redis.keys import JOBS, Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.reading import LedgerReader, Place, Seen
from worker.adapters.redis.recounting import Recounting
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, redis_answers, run
from worker.adapters.redis.times import Now, server_time
from worker.batching import chunks, grouped
from worker.contract.audits import Misplaced, ShardAudit
from worker.contract.messages import CHUNK, Lane
from worker.contract.origins import Origin
from worker.contract.repairs import Mend, Mended, Relisted, ShardRepair

_MESSAGES = Script.read("repair_messages")
_RELIST = Script.read("relist_backlog")
_NOWHERE: Place = (Lane.SINGLE, Origin(""))
"""Stands for the merchant of a message without a record that is in no backlog."""


class RedisRepair:
    """Puts messages and callbacks where their records say they belong, and counters to what the records say.

    Counters of a merchant that sends without a pause may keep moving; they are left as they are then.
    """

    def __init__(self, redis: Redis, keys: Keys, limits: LedgerLimits | None = None, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call. `now` gives the time for tests."""
        self._redis = redis
        self._keys = keys
        self._limits = limits or LedgerLimits()
        self._now = now
        self._reader = LedgerReader(redis, keys)
        self._counters = Recounting(redis, keys, self._reader)
        self._callbacks = CallbackRepair(redis, keys, now)

    async def mend(self, audits: Iterable[ShardAudit]) -> AsyncIterator[ShardRepair]:
        """Yield what was mended in each shard with a fault; raise LedgerUnavailableError when the store is away."""
        faulty = [audit for audit in audits if not audit.clean]
        with redis_answers():
            recorded = (
                await self._reader.recorded() if any(audit.miscounts or audit.batches for audit in faulty) else {}
            )
            for audit in faulty:
                callbacks, queues = await self._callbacks.mend(audit)
                if audit.shard == JOBS:
                    yield ShardRepair(JOBS, callbacks=callbacks, queues=queues)
                    continue
                relisted, mended = await self._rehouse(audit.shard, audit.misplaced)
                recounted, batches = await self._counters.recount(audit.shard, audit, recorded.pop(audit.shard, set()))
                yield ShardRepair(audit.shard, tuple(mended), tuple(relisted), recounted, batches, callbacks, queues)

    async def _rehouse(self, shard: int, misplaced: Sequence[Misplaced]) -> tuple[list[Relisted], list[Mended]]:
        if not misplaced:
            return [], []
        ids = [message.message_id for message in misplaced]
        places = await self._places(shard, ids)
        relisted = [Relisted(*place) for place in sorted({*places.values()}) if await self._relist(shard, place)]
        seen = await self._reader.seen(shard)
        still = await self._reader.still_misplaced(shard, ids, seen)
        by_place = grouped(still, lambda message: places.get(message.message_id, _NOWHERE))
        mended = [
            one
            for place, messages in by_place.items()
            for chunk in chunks(messages, CHUNK)
            for one in await self._mend(shard, place, chunk, seen)
        ]
        return relisted, mended

    async def _places(self, shard: int, ids: Sequence[str]) -> dict[str, Place]:
        """Return whose each message is: its record says it, or the backlog that holds it."""
        places = {
            message_id: place for place, held in (await self._reader.backlogs(shard)).items() for message_id in held
        }
        pipeline = self._redis.pipeline(transaction=False)
        for message_id in ids:
            pipeline.hmget(self._keys.message(shard, message_id), "lane", "app", "batch")
        for message_id, (lane, app_id, batch_id) in zip(ids, await pipeline.execute(), strict=True):
            if app_id:
                places[message_id] = (Lane(text(lane)), Origin(text(app_id), text(batch_id or b"")))
        return places

    async def _relist(self, shard: int, place: Place) -> bool:
        (lane, origin), keys = place, self._keys
        touched = [
            keys.backlogs(shard, lane),
            keys.backlog(shard, lane, origin),
            keys.stopped(shard, lane),
            keys.paused(shard),
        ]
        (done,) = await run(self._redis, [Call(_RELIST, touched, [origin.text])])
        return bool(done)

    async def _mend(self, shard: int, place: Place, messages: Sequence[Misplaced], seen: Seen) -> list[Mended]:
        keys = self._keys
        shared = [
            keys.due(shard),
            keys.window(shard),
            keys.waiting(shard),
            keys.backlog(shard, *place),
            keys.unanswered(shard),
            keys.unknown(shard),
            keys.scheduled(shard),
            keys.plans(shard),
            keys.retention(shard),
            keys.dead(shard),
            keys.cards(shard),
            keys.rows(shard),
        ]
        records = keys.messages(shard, [message.message_id for message in messages])
        arguments: list[str | bytes | int] = [self._now(), place[0], place[1].app_id, self._limits.retention]
        for message in messages:
            arguments += (message.message_id, *seen.of(message.message_id))
        (codes,) = await run(self._redis, [Call(_MESSAGES, shared + records, arguments)])
        return [
            Mended(message, Mend(code)) for message, code in zip(messages, codes, strict=True) if code != Mend.NOTHING
        ]
