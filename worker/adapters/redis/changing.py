"""Changes one field of a Redis hash by what it holds, so that of two changes at once none is lost; removes one."""

from collections.abc import Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.exceptions import WatchError

from worker.adapters.redis.replies import raw
from worker.adapters.redis.scripts import redis_answers

Value = TypeVar("Value")


async def change_field(
    redis: Redis,
    key: str,
    field: str,
    changed: Callable[[bytes | None], Value],
    pack: Callable[[Value], bytes],
) -> Value:
    """Store what `changed` makes of a field, None: it is not there yet, and return it.

    What `changed` raises is raised, and nothing is stored. Raises LedgerUnavailableError when Redis did not answer.
    """
    with redis_answers():
        async with redis.pipeline(transaction=True) as pipeline:
            while True:
                await pipeline.watch(key)
                packed = await pipeline.hget(key, field)
                value = changed(None if packed is None else raw(packed))
                pipeline.multi()  # type: ignore[no-untyped-call]  # redis-py's own
                pipeline.hset(key, field, pack(value))
                try:
                    await pipeline.execute()
                except WatchError:
                    continue
                return value


async def remove_field(redis: Redis, key: str, field: str) -> bool:
    """Remove a field; False where it was not there. Raises LedgerUnavailableError when Redis did not answer."""
    with redis_answers():
        return bool(await redis.hdel(key, field))
