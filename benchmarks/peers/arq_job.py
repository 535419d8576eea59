"""The main job on arq, as its documentation has it: WorkerSettings, a pool made at start, `enqueue_job`.

Run by `arq benchmarks.peers.arq_job.WorkerSettings`, twice, because an arq worker is one process.
"""

from typing import Any, ClassVar

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from redis.asyncio import Redis

from benchmarks.peers.async_job import client, deliver_to_both
from benchmarks.peers.job import REDIS_URL, validated

store = Redis.from_url(REDIS_URL)
pools: list[ArqRedis] = []


async def opened() -> None:
    """Make ready for accepting."""
    pools.append(await create_pool(RedisSettings.from_dsn(REDIS_URL)))


async def closed() -> None:
    """End accepting."""
    await pools.pop().aclose()


async def accept(body: bytes) -> None:
    """Validate one send, remember its requestId, and enqueue it."""
    send, key = validated(body)
    if await store.set(key, "U", nx=True):
        await pools[0].enqueue_job("deliver", send, key)


async def deliver(context: dict[str, Any], send: dict[str, Any], key: str) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    await deliver_to_both(context["http"], store, send, key)


async def start(context: dict[str, Any]) -> None:
    """Open the HTTP client of this process."""
    context["http"] = client()


async def stop(context: dict[str, Any]) -> None:
    """Close it."""
    await context["http"].close()


class WorkerSettings:
    """What arq's command reads."""

    functions: ClassVar = [deliver]
    on_startup = start
    on_shutdown = stop
    redis_settings = RedisSettings.from_dsn(REDIS_URL)
    max_jobs = 100
    max_tries = 8
    keep_result = 0
