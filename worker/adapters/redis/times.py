"""The ledger's time is Redis TIME: no worker's clock is ever trusted."""

from collections.abc import Callable

from redis.asyncio import Redis

from worker.adapters.redis.scripts import redis_answers

Now = Callable[[], str | int]
"""The time as scripts take it: milliseconds in tests, empty in service, where they ask Redis themselves."""


def server_time() -> str:
    """Let scripts use Redis TIME."""
    return ""


async def ledger_time(redis: Redis, now: Now) -> int:
    """Return the ledger's time in milliseconds since 1970."""
    fixed = now()
    if fixed != "":
        return int(fixed)
    with redis_answers():
        seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000
