"""Celery's configuration, each setting with its reason."""

from typing import Any

from kombu.entity import Exchange, Queue

from worker.contract.messages import Lane

KEY_PREFIX = "tidings:broker:"
"""Before every key of the broker in Redis, so that one server can hold broker and ledger."""
DELIVER_TASK = "tidings.deliver"


def configuration(broker_url: str) -> dict[str, Any]:
    """Return the configuration for a broker."""
    return {
        "broker_url": broker_url,
        "broker_connection_retry_on_startup": True,
        # A broker that is away for an hour is a broker that is away: never give up, the ledger keeps the work.
        "broker_connection_max_retries": None,
        # Intake must not hang on a dead broker: the hint is dropped and falls due in the ledger.
        "broker_connection_timeout": 3,
        "broker_pool_limit": 4,
        "broker_heartbeat": 0,
        "broker_transport_options": _redis_options() if broker_url.startswith("redis") else {},
        # `single` before `bulk`; each is reached by its name alone, a plain list in Redis with no binding to lose.
        "task_queues": [Queue(lane, Exchange(""), routing_key=lane) for lane in (Lane.SINGLE, Lane.BULK)],
        "task_default_queue": Lane.BULK.value,
        "task_default_exchange": "",
        "task_create_missing_queues": False,
        # Outcomes live in the ledger; Celery keeps no results.
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        # A hint is acknowledged as it is taken: losing one costs a grace, running one twice costs nothing.
        "task_acks_late": False,
        "task_reject_on_worker_lost": False,
        "task_serializer": "json",
        "accept_content": ["json"],
        # One hint waits in a child while it finds slots for the one before: what a SIGKILL can delay stays small.
        "worker_prefetch_multiplier": 1,
        # Our logs are structlog's, Celery's lines among them.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        # Hints are a few hundred ids: compressing or signing them costs more than it brings.
        "task_compression": None,
    }


def _redis_options() -> dict[str, Any]:
    return {
        # The ledger is authoritative: without the emulation there is no visibility timeout, no unacked hash, no task
        # run twice, and a worker consumes about twice as much.
        "ack_emulation": False,
        "global_keyprefix": KEY_PREFIX,
        # `single` is asked for first, nine times in ten; kombu's own default is round robin.
        "queue_order_strategy": "worker.adapters.celery.turns:SingleFirst",
        "priority_steps": [0],
        # Without these a publish on a dead connection waits for ever.
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 3,
        "retry_on_timeout": False,
    }
