"""The main job as most people write it with Celery: one task a message, `requests`, one Redis call a step.

As Celery's own guides have it: late acknowledgement, automatic retries with back-off and jitter, no results that nobody
reads, a session a process. Run by `celery -A benchmarks.peers.celery_job worker -c2`.
"""

from typing import Any

import redis
import requests
from celery import Celery

from benchmarks.peers.job import CHANNELS, GATEWAY, REDIS_URL, TIMEOUT, call, outcome, rendered, validated, whole

app = Celery("idiomatic", broker=REDIS_URL)
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=4)
store = redis.Redis.from_url(REDIS_URL)
session = requests.Session()


def accept(body: bytes) -> None:
    """Validate one send, remember its requestId, and enqueue it."""
    send, key = validated(body)
    if store.set(key, "U", nx=True):
        deliver.delay(send, key)


@app.task(autoretry_for=(requests.RequestException,), retry_backoff=True, retry_jitter=True, max_retries=8)
def deliver(send: dict[str, Any], key: str) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    text = rendered(send)
    outcomes = {}
    for channel in CHANNELS:
        answer = session.post(GATEWAY, json=call(send, channel, text), timeout=TIMEOUT)
        answer.raise_for_status()
        outcomes[channel] = outcome(answer.json())
        store.hset(f"outcome:{key}", channel, outcomes[channel])
    store.set(key, whole(outcomes))
