from typing import Any

import pytest
from celery.app.defaults import DEFAULTS
from kombu.entity import Queue
from kombu.utils.scheduling import cycle_by_name

from worker.adapters.celery.configuration import KEY_PREFIX, configuration
from worker.adapters.celery.turns import SingleFirst

REDIS = "redis://broker.test/1"
REDIS_LIKE = [REDIS, "rediss://broker.test/1", "redis+socket:///broker.sock"]
OTHERS = ["amqp://broker.test//", "memory://"]


def options(url: str) -> Any:  # noqa: ANN401 - whatever kombu takes
    return configuration(url)["broker_transport_options"]


def test_single_is_declared_before_bulk() -> None:
    queues: list[Queue] = configuration(REDIS)["task_queues"]

    assert [queue.name for queue in queues] == ["single", "bulk"]


def test_each_queue_is_reached_by_its_name_alone_without_an_exchange() -> None:
    queues: list[Queue] = configuration(REDIS)["task_queues"]

    assert [(queue.exchange.name, queue.routing_key) for queue in queues] == [("", "single"), ("", "bulk")]


@pytest.mark.parametrize("url", REDIS_LIKE)
def test_in_redis_nothing_emulates_acknowledgements(url: str) -> None:
    assert options(url)["ack_emulation"] is False
    assert "visibility_timeout" not in options(url)


@pytest.mark.parametrize("url", REDIS_LIKE)
def test_in_redis_single_is_asked_for_first_and_keys_have_a_prefix(url: str) -> None:
    assert cycle_by_name(options(url)["queue_order_strategy"]) is SingleFirst
    assert options(url)["priority_steps"] == [0]
    assert options(url)["global_keyprefix"] == KEY_PREFIX


@pytest.mark.parametrize("url", OTHERS)
def test_other_brokers_get_no_options_of_redis(url: str) -> None:
    assert options(url) == {}


def test_a_hint_is_never_kept_for_later_and_has_no_result() -> None:
    found = configuration(REDIS)

    assert found["task_acks_late"] is False
    assert found["task_reject_on_worker_lost"] is False
    assert found["task_ignore_result"] is True
    assert "result_backend" not in found
    assert found["worker_prefetch_multiplier"] == 1


def test_only_json_is_read() -> None:
    found = configuration(REDIS)

    assert (found["task_serializer"], found["accept_content"]) == ("json", ["json"])


@pytest.mark.parametrize("url", [REDIS, *OTHERS])
def test_celery_knows_every_setting(url: str) -> None:
    assert set(configuration(url)) <= set(DEFAULTS)
