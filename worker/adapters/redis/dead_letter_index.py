"""Keeps the index of dead letters complete: one card for each (see `keys.py`)."""

from collections.abc import Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, run
from worker.batching import chunks, grouped
from worker.contract.messages import CHUNK

_INDEX = Script.read("index_dead_letters")


async def index_dead_letters(redis: Redis, keys: Keys, message_ids: Sequence[str]) -> None:
    """Write the cards of those messages that are dead letters."""
    by_shard = grouped(message_ids, keys.shard)
    await run(redis, [_call(keys, shard, ids) for shard, every in by_shard.items() for ids in chunks(every, CHUNK)])


async def complete_index(redis: Redis, keys: Keys) -> None:
    """Write the cards that are missing: of letters that died a moment ago, or under a release without cards."""
    pipeline = redis.pipeline(transaction=False)
    for shard in range(keys.shards):
        pipeline.zcard(keys.dead(shard))
        pipeline.zcard(keys.cards(shard))
    sizes = await execute(pipeline)
    for shard, (dead, cards) in enumerate(zip(sizes[::2], sizes[1::2], strict=True)):
        if dead > cards:
            await _complete_shard(redis, keys, shard, dead - cards)


async def _complete_shard(redis: Redis, keys: Keys, shard: int, missing: int) -> None:
    """Look at the newest first: they are what is missing, most of the time."""
    start = 0
    while missing > 0:
        pipeline = redis.pipeline(transaction=False)
        pipeline.zrange(keys.dead(shard), start, start + CHUNK - 1, desc=True)
        (members,) = await execute(pipeline)
        if not members:
            return
        (new,) = await run(redis, [_call(keys, shard, [text(member) for member in members])])
        missing -= new
        start += CHUNK


def _call(keys: Keys, shard: int, ids: Sequence[str]) -> Call:
    return Call(_INDEX, [keys.dead(shard), keys.cards(shard), *keys.messages(shard, ids)], ids)
