"""Reads the ledger's figures: its counters, the sizes and heads of its indexes, the open breakers; no record."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.breakers import RedisBreakers
from worker.adapters.redis.callback_figures import callback_figures
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.rates import refused_of
from worker.adapters.redis.replies import tallies_of, text
from worker.adapters.redis.scripts import execute
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.contract.figures import Crowd, LedgerFigures, Missing, PausedKind
from worker.contract.messages import Lane
from worker.contract.origins import Origin, Pause
from worker.contract.rates import LimitedBy


@dataclass(frozen=True, slots=True)
class _Shard:
    """What one shard answered."""

    counters: dict[bytes | str, bytes | str]
    due: int
    waiting: int
    scheduled: int
    overdue: Crowd
    unanswered: Crowd
    unknown: Crowd
    dead: Crowd
    refused: dict[tuple[LimitedBy, str], int]


class RedisFigures:
    """Implements `ports.Figures`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, breakers: RedisBreakers, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._breakers = breakers
        self._now = now
        self._pauses = RedisPauses(redis, keys, now=now)

    async def read(self) -> LedgerFigures:
        """Return the figures of this moment; raise LedgerUnavailableError when Redis did not answer."""
        now = await ledger_time(self._redis, self._now)
        answers = await self._every_shard(lambda pipeline, shard: self._ask(pipeline, shard, now))
        shards = [_shard(answer, now) for answer in answers]
        backlogged = {lane: await self._backlogged(lane) for lane in Lane}
        pauses = await self._pauses.paused()
        return LedgerFigures(
            tallies=tallies_of(shard.counters for shard in shards),
            due=sum(shard.due for shard in shards),
            overdue=_together(shard.overdue for shard in shards),
            waiting=sum(shard.waiting for shard in shards),
            backlogged={lane: sum(backlogged[lane]) for lane in Lane},
            scheduled=sum(shard.scheduled for shard in shards),
            stopped={lane: backlogged[lane][1] for lane in Lane},
            paused=_paused(pauses, now),
            unknown={
                Missing.OPEN: _together(shard.unanswered for shard in shards),
                Missing.DEAD: _together(shard.unknown for shard in shards),
            },
            dead=_together(shard.dead for shard in shards),
            callbacks=await callback_figures(self._redis, self._keys, now),
            refused={limit: number for shard in shards for limit, number in shard.refused.items()},
            failing={name: max(0, now - opened.since) for name, opened in (await self._breakers.opened()).items()},
        )

    def _ask(self, pipeline: Any, shard: int, now: int) -> None:  # noqa: ANN401 - redis-py's own is untyped
        keys = self._keys
        pipeline.hgetall(keys.counters(shard))
        pipeline.hgetall(keys.refused(shard))
        pipeline.zcard(keys.due(shard))
        pipeline.zcard(keys.waiting(shard))
        pipeline.zcard(keys.scheduled(shard))
        pipeline.zcount(keys.due(shard), "-inf", now)
        pipeline.zrange(keys.due(shard), 0, 0, withscores=True)
        for index in (keys.unanswered, keys.unknown, keys.dead):
            pipeline.zcard(index(shard))
            pipeline.zrange(index(shard), 0, 0, withscores=True)

    async def _backlogged(self, lane: Lane) -> tuple[int, int]:
        """Return how many messages of a lane are in backlogs that have turns, and in paused ones.

        How many backlogs there are is not known before.
        """
        listings = await self._every_shard(partial(self._ask_listings, lane))
        running, stopped = [
            await self._sizes(
                [
                    self._keys.backlog(shard, lane, Origin.read(text(origin)))
                    for shard, listing in enumerate(listings)
                    for origin in listing[index]
                ]
            )
            for index in (0, 1)
        ]
        return running, stopped

    async def _sizes(self, backlogs: Sequence[str]) -> int:
        pipeline = self._redis.pipeline(transaction=False)
        for backlog in backlogs:
            pipeline.zcard(backlog)
        return sum(await execute(pipeline))

    def _ask_listings(self, lane: Lane, pipeline: Any, shard: int) -> None:  # noqa: ANN401 - as above
        pipeline.zrange(self._keys.backlogs(shard, lane), 0, -1)
        pipeline.zrange(self._keys.stopped(shard, lane), 0, -1)

    async def _every_shard(self, ask: Callable[[Any, int], object]) -> list[list[Any]]:
        """Ask the same of each shard in one round trip; return its answers by shard."""
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            ask(pipeline, shard)
        answers = await execute(pipeline)
        size = len(answers) // self._keys.shards
        return [answers[shard * size : (shard + 1) * size] for shard in range(self._keys.shards)]


def _shard(answers: Sequence[Any], now: int) -> _Shard:
    counters, refused, due, waiting, scheduled, *crowds = answers
    overdue, unanswered, unknown, dead = (
        _crowd(number, head, now) for number, head in zip(crowds[::2], crowds[1::2], strict=True)
    )
    return _Shard(counters, due, waiting, scheduled, overdue, unanswered, unknown, dead, refused_of(refused))


def _paused(pauses: Sequence[Pause], now: int) -> dict[PausedKind, Crowd]:
    kinds = {kind: [pause for pause in pauses if _kind(pause) is kind] for kind in PausedKind}
    return {
        kind: Crowd(len(some), max((max(0, now - pause.since) for pause in some), default=0))
        for kind, some in kinds.items()
    }


def _kind(pause: Pause) -> PausedKind:
    return PausedKind.BATCH if pause.origin.batch_id else PausedKind.MERCHANT


def _crowd(number: int, head: Sequence[tuple[bytes, float]], now: int) -> Crowd:
    return Crowd(number, max(0, now - int(head[0][1]))) if number and head else Crowd(number)


def _together(crowds: Iterable[Crowd]) -> Crowd:
    every = list(crowds)
    return Crowd(sum(crowd.number for crowd in every), max(crowd.oldest for crowd in every))
