"""The outbox of callbacks in Redis, and the queues of merchants that it is emptied into."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.records import delivery
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run, run_each
from worker.adapters.redis.times import Now, server_time
from worker.batching import chunks, grouped
from worker.callbacks.ports import ShardApp
from worker.contract.callbacks import CallbackKey, CallbackSettlement, DueCallback
from worker.contract.messages import CHUNK, Channel

_QUEUE = Script.read("queue_callbacks")
_CLAIM = Script.read("claim_callbacks")
_SETTLE = Script.read("settle_callbacks")
_OWN = Script.read("own_merchants")
_MERCHANTS = 200
"""Merchants of a shard that are looked at in one round; those who wait longest come first."""


class RedisCallbackOutbox:
    """Implements `callbacks.ports.Outbox`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def due(self) -> list[ShardApp]:
        """Put what became final into its merchants' queues; return the queues that have something to be looked at."""
        now, heads = await self._heads()
        arrived = [(shard, text(member).partition("#")) for shard, (outbox, _) in enumerate(heads) for member in outbox]
        by_place = grouped(arrived, lambda found: (found[0], found[1][0]))
        calls = [
            Call(_QUEUE, self._of(place, outbox=True), [self._now(), place[1], *(member[2] for _, member in chunk)])
            for place, members in by_place.items()
            for chunk in chunks(members, CHUNK)
        ]
        await run(self._redis, calls)
        waiting = [
            (shard, text(app)) for shard, (_, merchants) in enumerate(heads) for app, score in merchants if score <= now
        ]
        return list(dict.fromkeys((*by_place, *waiting)))

    async def _heads(self) -> tuple[int, list[tuple[list[bytes], list[tuple[bytes, float]]]]]:
        """Return the ledger's time, and of each shard the first of its outbox and of its merchants."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        for shard in range(self._keys.shards):
            pipeline.zrange(self._keys.outbox(shard), 0, CHUNK - 1)
            pipeline.zrange(self._keys.callbacks(shard), 0, _MERCHANTS - 1, withscores=True)
        (seconds, microseconds), *answers = await execute(pipeline)
        fixed = self._now()
        now = int(seconds) * 1000 + int(microseconds) // 1000 if fixed == "" else int(fixed)
        return now, list(zip(answers[::2], answers[1::2], strict=True))

    async def own(self, app_ids: Sequence[str], process: str, lease: int) -> list[bool]:
        """Take the right to call merchants back, for `lease` milliseconds; False where another process has it."""
        calls = [
            Call(_OWN, [self._keys.owners()], [self._now(), process, lease, *chunk]) for chunk in chunks(app_ids, CHUNK)
        ]
        return [bool(code) for codes in await run(self._redis, calls) for code in codes]

    async def claim(self, places: Mapping[ShardApp, int], lease: int) -> list[DueCallback]:
        """Take of each queue at most so many callbacks for `lease` milliseconds."""
        pipeline = self._redis.pipeline(transaction=False)
        for place, most in places.items():
            pipeline.zrange(self._keys.callbacks_of(*place), 0, min(most, CHUNK) - 1)
        found = zip(places, await execute(pipeline), strict=True)
        members = {place: [text(member) for member in heads] for place, heads in found if heads}
        calls = [
            Call(_CLAIM, [*self._of(place), *self._records(place, named)], [self._now(), place[1], lease, *named])
            for place, named in members.items()
        ]
        answers = zip(members, await run(self._redis, calls), strict=True)
        return [_due(app_id, until, row) for (_, app_id), (until, *rows) in answers for row in rows]

    async def settle(self, settlements: Sequence[CallbackSettlement]) -> list[bool]:
        """End claims; False where another claim has the callback and nothing was changed."""

        def place(settlement: CallbackSettlement) -> ShardApp:
            key = settlement.callback.key
            return self._keys.shard(key.message_id), key.app_id

        def call(place: ShardApp, chunk: Sequence[CallbackSettlement]) -> Call:
            keys = self._of(place)
            keys += (self._keys.uncalled(place[0]), self._keys.called(place[0]))
            keys += (self._keys.message(place[0], one.callback.key.message_id) for one in chunk)
            arguments = [argument for one in chunk for argument in _settlement(one)]
            return Call(_SETTLE, keys, [self._now(), place[1], *arguments])

        return [bool(code) for code in await run_each(self._redis, settlements, place, call)]

    def _of(self, place: ShardApp, *, outbox: bool = False) -> list[str]:
        shard, app_id = place
        queues = [self._keys.callbacks(shard), self._keys.callbacks_of(shard, app_id)]
        return [self._keys.outbox(shard), *queues] if outbox else queues

    def _records(self, place: ShardApp, members: Sequence[str]) -> Iterator[str]:
        return (self._keys.message(place[0], member.partition("#")[0]) for member in members)


def _due(app_id: str, until: int, row: Sequence[Any]) -> DueCallback:
    member, request_id, taken, expires, push, inbox, dead, history, batch_id = (text(field) for field in row)
    message_id, _, finality = member.partition("#")
    fields = ((Channel.PUSH, push), (Channel.INBOX, inbox))
    callback = DueCallback(
        key=CallbackKey(app_id, message_id, int(finality)),
        lease_until=until,
        request_id=request_id,
        taken_at=int(taken),
        expires_at=int(expires),
        deliveries=tuple(delivery(channel, field) for channel, field in fields if field),
        dead_cause=dead,
        since=0,
        tries=0,
        batch_id=batch_id,
    )
    told, _, since, _, tries, _ = (*history.split("|", 5), *[""] * 6)[:6]
    if told == finality:
        return callback._replace(since=int(since), tries=int(tries))
    return callback._replace(since=callback.settled_at)


def _settlement(settlement: CallbackSettlement) -> tuple[str | int, ...]:
    """Return the 7 arguments of a settlement for `settle_callbacks`."""
    callback = settlement.callback
    return (
        f"{callback.key.message_id}#{callback.key.finality}",
        callback.lease_until,
        settlement.verdict,
        settlement.delay,
        callback.since,
        callback.tries + settlement.tries,
        settlement.detail,
    )
