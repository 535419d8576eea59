"""Celery's configuration, each setting with its reason; those of a broker alone are in `brokers`."""

from typing import Any

from kombu.entity import Exchange, Queue

from worker.adapters.celery.brokers import plain_url, transport_options
from worker.contract.messages import Lane

DELIVER_TASK = "tidings.deliver"


def configuration(broker_url: str) -> dict[str, Any]:
    """Return what everybody needs who puts hints on the broker."""
    return {
        "broker_url": plain_url(broker_url),
        "broker_transport_options": transport_options(broker_url),
        # Intake must not hang on a dead broker: the hint is dropped and falls due in the ledger. The first two bound
        # how long one is tried, the third how long one waits for another thread's connection.
        "broker_connection_timeout": 3,
        "broker_pool_limit": 4,
        "broker_pool_acquire_timeout": 2,
        # Of publishers, who have no event loop that would send them: RabbitMQ would hang up on each that idles. The
        # consumer has its own, see `consumer`. On Redis `health_check_interval` does it.
        "broker_heartbeat": 0,
        # `single` before `bulk`; each is reached by its name alone, a plain list in Redis with no binding to lose.
        "task_queues": [Queue(lane, Exchange(""), routing_key=lane) for lane in (Lane.SINGLE, Lane.BULK)],
        "task_default_queue": Lane.BULK.value,
        "task_default_exchange": "",
        # A misspelt queue is an error, not a new queue that nobody consumes.
        "task_create_missing_queues": False,
        # Outcomes live in the ledger; Celery keeps no results, and there is no result backend.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # A hint is a lane, a number and ids. Pickle would run what it reads.
        "task_serializer": "json",
        "accept_content": ["json"],
        # Some hundred ids: compressing them costs more than it brings.
        "task_compression": None,
        # An event a hint, for nobody.
        "task_send_sent_event": False,
    }


def worker_configuration(broker_url: str) -> dict[str, Any]:
    """Return the configuration of a worker."""
    return configuration(broker_url) | _receiving() | _running()


def _receiving() -> dict[str, Any]:
    return {
        # A broker that is away for an hour is a broker that is away: never give up, the ledger keeps the work.
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Redis answers a full server as if it were a fault of the channel. That passes, too.
        "broker_channel_error_retry": True,
        # Comes back within two seconds, and speaks to no other worker.
        "worker_consumer": "worker.adapters.celery.consumer:HintConsumer",
        # A hint is acknowledged as it is begun: losing one costs a grace, running one twice costs nothing.
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        # One task waits for slots in a child, and one behind it: what a SIGKILL can delay for a grace stays small.
        "worker_prefetch_multiplier": 1,
        # A lost connection says nothing of what the loops are sending, so that goes on. (This cancels tasks that are
        # acknowledged late; ours are not, so it cancels none, and Celery does not warn of its default.)
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        # After it, the prefetch is what it was: with one hint a child there is nothing to reduce.
        "worker_enable_prefetch_count_reduction": False,
        # Ids of finished tasks would be compared and kept for nothing: the ledger tells repeats.
        "worker_deduplicate_successful_tasks": False,
        # No task has a rate: gateways and merchants have, and those are in the ledger.
        "worker_disable_rate_limits": True,
    }


def _running() -> dict[str, Any]:
    return {
        # The soft shutdown is ours: the pool waits for what its children hold, `TIDINGS_DRAIN_TIMEOUT` at most and no
        # longer than it takes. Celery's would sleep its whole time (16 s for a second Ctrl-C, measured), and only where
        # it sees a task: ours are over as soon as the ids are handed to the loop.
        "worker_soft_shutdown_timeout": 0.0,
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_pool": "worker.adapters.celery.pool:DeliveryPool",
        # Memory is shared with the children by fork, see `vitals`.
        "worker_pool_start_method": "fork",
        # A child that does not report in time is killed. Celery's 4 s are too few on a machine that starts many things.
        "worker_proc_alive_timeout": 30.0,
        # Our logs are structlog's, Celery's lines among them.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # `-E` turns them on for a monitor such as Flower.
        "worker_send_task_events": False,
        # `inspect ping`, `inspect stats` and `control shutdown`.
        "worker_enable_remote_control": True,
    }
