"""The main job on saq, as its README has it: a queue, and settings that name functions and what happens at start.

Run by `saq benchmarks.peers.saq_job.settings --workers 2`.
"""

from typing import Any

from redis.asyncio import Redis
from saq import Queue

from benchmarks.peers.async_job import client, deliver_to_both
from benchmarks.peers.job import REDIS_URL, TIMEOUT, validated

queue = Queue.from_url(REDIS_URL)
store = Redis.from_url(REDIS_URL)


async def opened() -> None:
    """Make ready for accepting."""
    await queue.connect()


async def closed() -> None:
    """End accepting."""
    await queue.disconnect()


async def accept(body: bytes) -> None:
    """Validate one send, remember its requestId, and enqueue it."""
    send, key = validated(body)
    if await store.set(key, "U", nx=True):
        await queue.enqueue("deliver", send=send, record=key, retries=8, timeout=4 * TIMEOUT)


async def deliver(context: dict[str, Any], *, send: dict[str, Any], record: str) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    await deliver_to_both(context["http"], store, send, record)


async def start(context: dict[str, Any]) -> None:
    """Open the HTTP client of this process."""
    context["http"] = client()


async def stop(context: dict[str, Any]) -> None:
    """Close it."""
    await context["http"].close()


settings = {"queue": queue, "functions": [deliver], "concurrency": 100, "startup": start, "shutdown": stop}
