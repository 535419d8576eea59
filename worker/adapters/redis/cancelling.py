"""Cancelling in Redis: messages by their ids, or all that an origin has open, in chunks of a script per shard."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run, run_each
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.batching import chunks
from worker.contract.cancellations import Cancelled, Standing
from worker.contract.messages import CHUNK, Lane
from worker.contract.origins import Origin

_CANCEL = Script.read("cancel_messages")
_AT_ONCE = 16
"""Backlogs that are emptied side by side: a chunk of each in one round trip."""


class _Place(NamedTuple):
    shard: int
    lane: Lane
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Order:
    reason: str
    until: int | str = ""
    """What was taken later is left alone; empty: nothing is."""


class RedisCancellations:
    """Implements `origin_ports.Cancellations`. `now` gives the time for tests; in service it is Redis' own."""

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

    async def cancel(self, app_id: str, message_ids: Sequence[str], reason: str) -> list[Cancelled]:
        """End messages of a merchant that were not sent; one answer each, in order."""
        return await self._cancel(app_id, message_ids, _Order(reason))

    async def _cancel(self, app_id: str, message_ids: Sequence[str], order: _Order) -> list[Cancelled]:
        places = await self._places(app_id, message_ids)
        known = [message_id for message_id in message_ids if message_id in places]
        codes = await run_each(
            self._redis,
            known,
            [places[message_id] for message_id in known],
            lambda place, ids: self._call(place, ids, order),
        )
        answers = dict(zip(known, map(Cancelled, codes), strict=True))
        return [answers.get(message_id, Cancelled.UNKNOWN) for message_id in message_ids]

    async def _places(self, app_id: str, message_ids: Sequence[str]) -> dict[str, _Place]:
        """Return where messages belong, as their records say; the script asks once more."""
        places = {}
        for some in chunks(message_ids, CHUNK * _AT_ONCE):
            pipeline = self._redis.pipeline(transaction=False)
            for message_id in some:
                pipeline.hmget(self._keys.message(self._keys.shard(message_id), message_id), "lane", "batch")
            for message_id, (lane, batch) in zip(some, await execute(pipeline), strict=True):
                if lane is not None:
                    origin = Origin(app_id, text(batch or b""))
                    places[message_id] = _Place(self._keys.shard(message_id), Lane(text(lane)), origin)
        return places

    def _call(self, place: _Place, ids: Sequence[str], order: _Order) -> Call:
        (shard, lane, origin), keys = place, self._keys
        touched = [
            keys.due(shard),
            keys.window(shard),
            keys.waiting(shard),
            keys.backlog(shard, lane, origin),
            keys.backlogs(shard, lane),
            keys.stopped(shard, lane),
            keys.counters(shard),
            keys.retention(shard),
            keys.outbox(shard),
            keys.batches(shard),
            keys.scheduled(shard),
            keys.plans(shard),
            keys.staged(shard),
        ]
        touched += keys.pairs(shard, ids)
        arguments = [self._now(), self._limits.retention, lane, *origin, order.until, order.reason, *ids]
        return Call(_CANCEL, touched, arguments)

    async def standing(self, origin: Origin) -> Standing:
        """Count what an origin has open; of a merchant with all its batches."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard, lane, one in await self._backlogs(origin):
            pipeline.zcard(self._keys.backlog(shard, lane, one))
        backlogged = sum(await execute(pipeline))
        for shard, lane in self._everywhere():
            pipeline.zlexcount(self._keys.plans(shard), *_range(lane, origin.text))
        return Standing(backlogged, len(await self._due(origin)), sum(await execute(pipeline)))

    async def cancel_all(self, origin: Origin, reason: str) -> AsyncIterator[Counter[Cancelled]]:
        """End what an origin has open and was not sent; yield what became of it, chunk by chunk.

        Messages move from the schedule to backlogs and from there to the due index while this goes on, so it looks in
        that order. What is taken meanwhile is left alone: it ends.
        """
        order = _Order(reason, await ledger_time(self._redis, self._now))
        for shard, lane in self._everywhere():
            async for planned in self._planned(shard, lane, origin):
                yield Counter(await self._cancel(origin.app_id, planned, order))
        for places in chunks(await self._backlogs(origin), _AT_ONCE):
            async for codes in self._empty(places, order):
                yield codes
        for ids in chunks(await self._due(origin), CHUNK * _AT_ONCE):
            yield Counter(await self._cancel(origin.app_id, ids, order))

    def _everywhere(self) -> list[tuple[int, Lane]]:
        return [(shard, lane) for shard in range(self._keys.shards) for lane in Lane]

    async def _planned(self, shard: int, lane: Lane, origin: Origin) -> AsyncIterator[list[str]]:
        """Yield what is scheduled of an origin, page by page."""
        start, end = _range(lane, origin.text)
        while True:
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.zrange(self._keys.plans(shard), start, end, bylex=True, offset=0, num=CHUNK * _AT_ONCE)
            (members,) = await execute(pipeline)
            if not members:
                return
            yield [text(member).split("#")[-2] for member in members]
            start = f"({text(members[-1])}"

    async def _empty(self, places: Sequence[_Place], order: _Order) -> AsyncIterator[Counter[Cancelled]]:
        """Cancel what is in backlogs. What has to stay there is passed over."""
        left = dict.fromkeys(places, 0)
        while left:
            pipeline = self._redis.pipeline(transaction=False)
            for place, passed in left.items():
                pipeline.zrange(self._keys.backlog(*place), passed, passed + CHUNK - 1)
            heads = dict(zip(left, await execute(pipeline), strict=True))
            full = {place: list(map(text, ids)) for place, ids in heads.items() if ids}
            answers = await run(self._redis, [self._call(place, ids, order) for place, ids in full.items()])
            codes = {place: Counter(map(Cancelled, answer)) for place, answer in zip(full, answers, strict=True)}
            left = {place: left[place] + count.total() - count[Cancelled.CANCELLED] for place, count in codes.items()}
            if codes:
                yield sum(codes.values(), Counter[Cancelled]())

    async def _backlogs(self, origin: Origin) -> list[_Place]:
        """Return the backlogs of an origin, of a merchant with those of its batches."""
        keys, places = self._keys, self._everywhere()
        pipeline = self._redis.pipeline(transaction=False)
        for shard, lane in places:
            pipeline.zrange(keys.backlogs(shard, lane), 0, -1)
            pipeline.zrange(keys.stopped(shard, lane), 0, -1)
        answers = await execute(pipeline)
        return [
            _Place(shard, lane, one)
            for (shard, lane), running, stopped in zip(places, answers[::2], answers[1::2], strict=True)
            for one in _listed(running, stopped)
            if origin in one.pausing
        ]

    async def _due(self, origin: Origin) -> list[str]:
        """Return what is due of an origin; its messages with a record alone, where it is a batch."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard, lane in self._everywhere():
            for index in (self._keys.window(shard), self._keys.waiting(shard)):
                pipeline.zrange(index, *_range(lane, origin.app_id), bylex=True)
        ids = [text(member).rpartition("#")[2] for members in await execute(pipeline) for member in members]
        if not origin.batch_id:
            return ids
        places = await self._places(origin.app_id, ids)
        return [message_id for message_id, place in places.items() if place.origin == origin]


def _range(lane: Lane, origin: str) -> tuple[str, str]:
    """Return from where to where an index that is ordered as text holds what is of an origin."""
    return f"[{lane}#{origin}#", f"({lane}#{origin}$"


def _listed(*listings: Iterable[bytes]) -> list[Origin]:
    return sorted({Origin.read(text(one)) for listing in listings for one in listing})
