"""The same job as most people write it with Celery: one task a message, `requests`, one Redis call a step.

Written as Celery's own guides have it (late acknowledgement, automatic retries with back-off and jitter, a session a
process), so that the comparison is with good use of Celery, not with a straw man.
"""

import json
import os
from string import Template
from typing import Any

import redis
import requests
from celery import Celery

from worker.contract.requests import SendRequest, parse

GATEWAY = os.environ["BENCH_GATEWAY_URL"] + "/v2/platform/message/send"
TEXT = Template("Hello, ${who}, your payment of ${amount} has arrived")
TIMEOUT = 10

app = Celery("idiomatic", broker=os.environ["BENCH_REDIS_URL"])
app.conf.update(task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=4)
store = redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])
session = requests.Session()


def accept(body: bytes) -> str:
    """Validate one send, remember its requestId, and enqueue it."""
    send = parse(SendRequest, body)
    key = f"message:{send.appId}:{send.requestId}"
    if store.set(key, "U", nx=True):
        deliver.delay(send.model_dump(exclude={"accessToken"}), key)
    return key


@app.task(autoretry_for=(requests.RequestException,), retry_backoff=True, retry_jitter=True, max_retries=8)
def deliver(send: dict[str, Any], key: str) -> None:
    """Render one message, deliver it to both channels and record the outcome."""
    text = TEXT.substitute(send["templates"][0]["templateParameters"])
    outcomes = {}
    for channel in ("PUSH", "INBOX"):
        content = {"title": "Payment", "content": text, "linkUrl": send["redirectUrl"]}
        if channel == "INBOX":
            content = {"header": {"appName": "Shop"}, "body": {"title": "Payment", "content": text}}
        message = {
            "messageId": f"{send['requestId']}-{channel}",
            "customerId": "customer-1",
            "messageChannel": channel,
            "templateCode": send["templateCode"],
            "messageContent": json.dumps(content),
            "redirectUrl": send["redirectUrl"],
        }
        answer = session.post(GATEWAY, json={"messages": [message]}, timeout=TIMEOUT)
        answer.raise_for_status()
        outcomes[channel] = "S" if answer.json()["messageSendResults"][0]["success"] else "F"
        store.hset(f"outcome:{key}", channel, outcomes[channel])
    store.set(key, "S" if set(outcomes.values()) == {"S"} else "F")
