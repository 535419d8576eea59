"""The main job on dramatiq, as its guide has it: an actor a message, `requests`, retries by the Retries middleware.

Run by `dramatiq --processes 2 benchmarks.peers.dramatiq_job`, 8 threads a process, which is its default.
"""

import threading
from typing import Any

import dramatiq
import redis
import requests
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.job import CHANNELS, GATEWAY, REDIS_URL, TIMEOUT, call, outcome, rendered, validated, whole

dramatiq.set_broker(RedisBroker(url=REDIS_URL))
store = redis.Redis.from_url(REDIS_URL)
local = threading.local()


def accept(body: bytes) -> None:
    """Validate one send, remember its requestId, and enqueue it."""
    send, key = validated(body)
    if store.set(key, "U", nx=True):
        deliver.send(send, key)


def session() -> requests.Session:
    """Return the thread's own session: requests does not promise that threads may share one."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
    found: requests.Session = local.session
    return found


@dramatiq.actor(max_retries=8)
def deliver(send: dict[str, Any], key: str) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    text = rendered(send)
    outcomes = {}
    for channel in CHANNELS:
        answer = session().post(GATEWAY, json=call(send, channel, text), timeout=TIMEOUT)
        answer.raise_for_status()
        outcomes[channel] = outcome(answer.json())
        store.hset(f"outcome:{key}", channel, outcomes[channel])
    store.set(key, whole(outcomes))
