"""The outbox of callbacks in Redis, and the queues of merchants that it is emptied into."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.callback_members import key_of, member_of, record_of, slot_of
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.records import delivery
from worker.adapters.redis.registry_keys import OWNERS_KEY
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run, run_each
from worker.adapters.redis.times import Now, server_time
from worker.batching import chunks, grouped
from worker.callbacks.ports import Queue
from worker.contract.batch_jobs import JobState
from worker.contract.callbacks import (
    BatchProgress,
    CallbackKey,
    CallbackSettlement,
    DueCallback,
    FinalMessage,
    ProgressKey,
    Told,
)
from worker.contract.messages import CHUNK, Channel
from worker.contract.origins import BatchTally

_QUEUE = Script.read("queue_callbacks")
_CLAIM = Script.read("claim_callbacks")
_SETTLE = Script.read("settle_callbacks")
_OWN = Script.read("own_merchants")
_MERCHANTS = 200
"""Merchants of a slot that are looked at in one round; those who wait longest come first."""


class RedisCallbackOutbox:
    """Implements `callbacks.ports.Outbox`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def due(self) -> list[Queue]:
        """Put what is to be told into its merchants' queues; return the queues that have something to be looked at."""
        now, heads = await self._heads()
        slots = list(zip(self._keys.slots(), heads, strict=True))
        arrived = [(slot, text(entry).partition("#")) for slot, (outbox, _) in slots for entry in outbox]
        by_queue = grouped(arrived, lambda found: (found[0], found[1][0]))
        calls = [
            Call(_QUEUE, self._of(queue, outbox=True), [self._now(), queue[1], *(entry[2] for _, entry in chunk)])
            for queue, entries in by_queue.items()
            for chunk in chunks(entries, CHUNK)
        ]
        await run(self._redis, calls)
        waiting = [(slot, text(app)) for slot, (_, merchants) in slots for app, score in merchants if score <= now]
        return list(dict.fromkeys((*by_queue, *waiting)))

    async def _heads(self) -> tuple[int, list[tuple[list[bytes], list[tuple[bytes, float]]]]]:
        """Return the ledger's time, and of each slot the first of its outbox and of its merchants."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.time()
        for slot in self._keys.slots():
            pipeline.zrange(self._keys.outbox(slot), 0, CHUNK - 1)
            pipeline.zrange(self._keys.callbacks(slot), 0, _MERCHANTS - 1, withscores=True)
        (seconds, microseconds), *answers = await execute(pipeline)
        fixed = self._now()
        now = int(seconds) * 1000 + int(microseconds) // 1000 if fixed == "" else int(fixed)
        return now, list(zip(answers[::2], answers[1::2], strict=True))

    async def own(self, app_ids: Sequence[str], process: str, lease: int) -> list[bool]:
        """Take the right to call merchants back, for `lease` milliseconds; False where another process has it."""
        calls = [Call(_OWN, [OWNERS_KEY], [self._now(), process, lease, *chunk]) for chunk in chunks(app_ids, CHUNK)]
        return [bool(code) for codes in await run(self._redis, calls) for code in codes]

    async def claim(self, queues: Mapping[Queue, int], lease: int) -> list[DueCallback]:
        """Take of each queue at most so many callbacks for `lease` milliseconds."""
        pipeline = self._redis.pipeline(transaction=False)
        for queue, most in queues.items():
            pipeline.zrange(self._keys.callbacks_of(*queue), 0, min(most, CHUNK) - 1)
        found = zip(queues, await execute(pipeline), strict=True)
        members = {queue: [text(member) for member in heads] for queue, heads in found if heads}
        calls = [
            Call(_CLAIM, [*self._of(queue), *self._records(queue, named)], [self._now(), queue[1], lease, *named])
            for queue, named in members.items()
        ]
        answers = zip(members, await run(self._redis, calls), strict=True)
        return [_due(queue, until, row) for queue, (until, *rows) in answers for row in rows]

    async def settle(self, settlements: Sequence[CallbackSettlement]) -> list[bool]:
        """End claims; False where another claim has the callback and nothing was changed."""

        def place(settlement: CallbackSettlement) -> Queue:
            key = settlement.callback.key
            return slot_of(self._keys, key), key.app_id

        def call(queue: Queue, chunk: Sequence[CallbackSettlement]) -> Call:
            keys = self._of(queue)
            keys += (self._keys.uncalled(queue[0]), self._keys.called(queue[0]))
            keys += (record_of(self._keys, one.callback.key) for one in chunk)
            arguments = [argument for one in chunk for argument in _settlement(one)]
            return Call(_SETTLE, keys, [self._now(), queue[1], *arguments])

        places = [place(settlement) for settlement in settlements]
        return [bool(code) for code in await run_each(self._redis, settlements, places, call)]

    async def waiting(self, app_id: str) -> int:
        """Return how many callbacks of a merchant are in its queues; what became final just now is on its way there."""
        pipeline = self._redis.pipeline(transaction=False)
        for slot in self._keys.slots():
            pipeline.zcard(self._keys.callbacks_of(slot, app_id))
        return sum(await execute(pipeline))

    def _of(self, queue: Queue, *, outbox: bool = False) -> list[str]:
        slot, app_id = queue
        queues = [self._keys.callbacks(slot), self._keys.callbacks_of(slot, app_id)]
        return [self._keys.outbox(slot), *queues] if outbox else queues

    def _records(self, queue: Queue, members: Sequence[str]) -> list[str]:
        return [record_of(self._keys, key_of(*queue, member)) for member in members]


def _due(queue: Queue, until: int, row: Sequence[Any]) -> DueCallback:
    member, history, *fields = (text(field) for field in row)
    told = _told(key_of(*queue, member), fields)
    named, _, since, _, tries, _ = (*history.split("|", 5), *[""] * 6)[:6]
    if named == member.rpartition("#")[2]:
        return DueCallback(told, until, int(since), int(tries))
    return DueCallback(told, until, told.at, 0)


def _told(key: CallbackKey, fields: Sequence[str]) -> Told:
    request_id, taken, expires, push, inbox, batch_id, told = fields
    if isinstance(key, ProgressKey):
        return _progress(key, told)
    states = ((Channel.PUSH, push), (Channel.INBOX, inbox))
    deliveries = tuple(delivery(channel, state) for channel, state in states if state)
    return FinalMessage(key, request_id, int(taken), int(expires), deliveries, batch_id)


def _progress(key: ProgressKey, told: str) -> BatchProgress:
    at, state, created_at, *numbers = told.split("|")
    return BatchProgress(key, int(at), int(created_at), JobState(state), BatchTally(*map(int, numbers)))


def _settlement(settlement: CallbackSettlement) -> tuple[str | int, ...]:
    """Return the 7 arguments of a settlement for `settle_callbacks`."""
    callback = settlement.callback
    return (
        member_of(callback.key),
        callback.lease_until,
        settlement.verdict,
        settlement.delay,
        callback.since,
        callback.tries + settlement.tries,
        settlement.detail,
    )
