"""Hints on a real broker: what is written there, and what a consumer leaves behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu.message import Message

from tests.certificates import tls_for
from tests.receivers import receiver_beside
from worker.adapters.celery.app import HintSender, publishing_app
from worker.adapters.celery.presence import BrokerPresence
from worker.contract.errors import BrokerUnavailableError
from worker.contract.messages import Hint, Lane


@pytest.fixture
def app(broker_url: str) -> Iterator[Celery]:
    found = publishing_app(broker_url)
    yield found
    found.close()


def keys_of(broker_url: str) -> dict[str, int]:
    """Return every key of the broker and the length of its list."""
    with redis.Redis.from_url(broker_url, decode_responses=True) as client:
        return {str(key): int(str(client.llen(str(key)))) for key in client.scan_iter("*")}


def test_a_hint_is_an_entry_of_its_lanes_list_and_nothing_else(app: Celery, broker_url: str) -> None:
    send = HintSender(app)

    for lane in (Lane.SINGLE, Lane.BULK, Lane.BULK):
        send([Hint(lane, 0, ("0a" * 16,))])

    assert keys_of(broker_url) == {"tidings:broker:single": 1, "tidings:broker:bulk": 2}


def test_a_broker_whose_certificate_is_not_trusted_is_told_nothing(tmp_path: Path) -> None:
    context, _ = tls_for("localhost", tmp_path)
    with receiver_beside(context) as stranger:
        presence = BrokerPresence(f"rediss://:s3cr3t@localhost:{stranger.port}/0")

        with pytest.raises(BrokerUnavailableError) as refused:
            presence.reach()

    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value.__cause__)


def test_a_consumer_takes_single_first_and_leaves_no_unacknowledged_copy(app: Celery, broker_url: str) -> None:
    send, taken = HintSender(app), list[str]()
    for lane in (Lane.BULK, Lane.BULK, Lane.SINGLE, Lane.SINGLE):
        send([Hint(lane, 0, ("0a" * 16,))])

    def take(_body: object, message: Message) -> None:
        taken.append(message.delivery_info["routing_key"])
        message.ack()

    with app.connection_for_read() as connection:
        consumer = connection.Consumer(
            queues=app.conf.task_queues,
            accept=["json"],
            callbacks=[take],
            prefetch_count=1,
        )
        with consumer:
            for _ in range(4):
                connection.drain_events(timeout=5)

    assert taken == ["single", "single", "bulk", "bulk"]
    assert keys_of(broker_url) == {}
