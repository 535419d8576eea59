"""Delivering for the asyncio libraries: the same steps, with aiohttp and asyncio's redis-py."""

from typing import Any

from aiohttp import ClientSession, ClientTimeout
from redis.asyncio import Redis

from benchmarks.peers.job import CHANNELS, GATEWAY, TIMEOUT, call, outcome, rendered, whole


def client() -> ClientSession:
    """Return the HTTP client of a process."""
    return ClientSession(timeout=ClientTimeout(total=TIMEOUT))


async def deliver_to_both(http: ClientSession, store: Redis, send: dict[str, Any], key: str) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    text = rendered(send)
    outcomes = {}
    for channel in CHANNELS:
        async with http.post(GATEWAY, json=call(send, channel, text)) as answer:
            answer.raise_for_status()
            outcomes[channel] = outcome(await answer.json())
        await store.hset(f"outcome:{key}", channel, outcomes[channel])
    await store.set(key, whole(outcomes))
