"""The main job on taskiq with taskiq-redis' stream broker, the one with acknowledgements, which its README begins with.

Run by `taskiq worker --workers 2 benchmarks.peers.taskiq_job:broker`: 100 tasks at a time in each process, and uvloop.
"""

from typing import Annotated, Any

from aiohttp import ClientSession
from redis.asyncio import Redis
from taskiq import Context, SimpleRetryMiddleware, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_redis import RedisStreamBroker

from benchmarks.peers.async_job import client, deliver_to_both
from benchmarks.peers.job import REDIS_URL, validated

broker = RedisStreamBroker(url=REDIS_URL).with_middlewares(SimpleRetryMiddleware(default_retry_count=8))
store = Redis.from_url(REDIS_URL)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start(state: TaskiqState) -> None:
    """Open the HTTP client of this process."""
    state.http = client()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop(state: TaskiqState) -> None:
    """Close it."""
    await state.http.close()


async def opened() -> None:
    """Make ready for accepting."""
    await broker.startup()


async def closed() -> None:
    """End accepting."""
    await broker.shutdown()


async def accept(body: bytes) -> None:
    """Validate one send, remember its requestId, and enqueue it."""
    send, key = validated(body)
    if await store.set(key, "U", nx=True):
        await deliver.kiq(send, key)


def http(context: Annotated[Context, TaskiqDepends()]) -> ClientSession:
    """Return the HTTP client of this process."""
    found: ClientSession = context.state.http
    return found


@broker.task(retry_on_error=True)
async def deliver(send: dict[str, Any], key: str, session: Annotated[ClientSession, TaskiqDepends(http)]) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    await deliver_to_both(session, store, send, key)
