from typing import Any

import pytest
from celery.app.defaults import DEFAULTS
from celery.worker.consumer import Consumer
from kombu.entity import Queue
from kombu.utils.imports import symbol_by_name

from worker.adapters.celery.configuration import configuration, worker_configuration
from worker.adapters.celery.pool import DeliveryPool

REDIS = "redis://broker.test/1"
URLS = [REDIS, "amqp://broker.test//", "sentinel://one.test:26379/1?master_name=main", "memory://"]


def found() -> dict[str, Any]:
    return worker_configuration(REDIS)


def test_single_is_declared_before_bulk() -> None:
    queues: list[Queue] = found()["task_queues"]

    assert [queue.name for queue in queues] == ["single", "bulk"]


def test_each_queue_is_reached_by_its_name_alone_without_an_exchange() -> None:
    queues: list[Queue] = found()["task_queues"]

    assert [(queue.exchange.name, queue.routing_key) for queue in queues] == [("", "single"), ("", "bulk")]


def test_a_hint_is_never_kept_for_later_and_has_no_result() -> None:
    assert found()["task_acks_late"] is False
    assert found()["task_reject_on_worker_lost"] is False
    assert found()["task_ignore_result"] is True
    assert "result_backend" not in found()
    assert found()["worker_prefetch_multiplier"] == 1


def test_only_json_is_read() -> None:
    assert (found()["task_serializer"], found()["accept_content"]) == ("json", ["json"])


def test_a_worker_never_gives_its_broker_up() -> None:
    assert found()["broker_connection_max_retries"] is None
    assert found()["broker_connection_retry"] is True
    assert found()["broker_connection_retry_on_startup"] is True


def test_nobody_waits_for_ever_for_a_connection_to_publish_on() -> None:
    assert found()["broker_connection_timeout"] == 3
    assert found()["broker_pool_acquire_timeout"] == 2


def test_the_classes_that_it_names_are_there() -> None:
    assert symbol_by_name(found()["worker_pool"]) is DeliveryPool
    assert issubclass(symbol_by_name(found()["worker_consumer"]), Consumer)


@pytest.mark.parametrize("url", URLS)
def test_celery_knows_every_setting(url: str) -> None:
    assert set(worker_configuration(url)) <= set(DEFAULTS)


@pytest.mark.parametrize("url", URLS)
def test_a_worker_reaches_its_broker_as_publishers_do(url: str) -> None:
    assert configuration(url).items() <= worker_configuration(url).items()
