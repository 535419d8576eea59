"""Reads how many callbacks wait, are late, were given up or are over: sizes and heads of indexes, no record."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import execute
from worker.contract.figures import CallbackFigures, Crowd

_ASKED = 6
"""Commands a slot."""


async def callback_figures(redis: Redis, keys: Keys, now: int) -> CallbackFigures:
    """Return the figures at a time of the ledger; raise LedgerUnavailableError when Redis did not answer."""
    pipeline = redis.pipeline(transaction=False)
    for slot in keys.slots():
        pipeline.zcard(keys.outbox(slot))
        pipeline.zrange(keys.outbox(slot), 0, 0, withscores=True)
        pipeline.zrange(keys.callbacks(slot), 0, -1, withscores=True)
        pipeline.zcard(keys.uncalled(slot))
        pipeline.zrange(keys.uncalled(slot), 0, 0, withscores=True)
        pipeline.hgetall(keys.called(slot))
    answers = await execute(pipeline)
    slots = [answers[start : start + _ASKED] for start in range(0, len(answers), _ASKED)]
    late = [head[1] for _, outbox, merchants, *_ in slots for head in (*outbox[:1], *merchants[:1]) if head[1] <= now]
    given_up = [head[1] for *_, dead, _ in slots for head in dead]
    return CallbackFigures(
        waiting=sum(slot[0] for slot in slots) + await _queued(redis, keys, [slot[2] for slot in slots]),
        late=now - int(min(late, default=now)),
        dead=Crowd(sum(slot[3] for slot in slots), now - int(min(given_up, default=now))),
        over=_over(slot[5] for slot in slots),
    )


async def _queued(redis: Redis, keys: Keys, merchants: list[list[tuple[bytes, float]]]) -> int:
    pipeline = redis.pipeline(transaction=False)
    for slot, apps in zip(keys.slots(), merchants, strict=True):
        for app, _ in apps:
            pipeline.zcard(keys.callbacks_of(slot, text(app)))
    return sum(await execute(pipeline))


def _over(counters: Any) -> Mapping[tuple[str, str], int]:  # noqa: ANN401 - redis-py's own is untyped
    numbers: Counter[tuple[str, str]] = Counter()
    for counted in counters:
        for field, number in counted.items():
            app_id, _, end = text(field).rpartition("#")
            numbers[app_id, end] += int(number)
    return dict(numbers)
