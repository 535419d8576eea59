"""Logs through structlog: JSON in production, text for people; other libraries' lines among them."""

import logging
import os
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor

from worker.adapters.telemetry.repeats import Repeats
from worker.clock import SystemClock

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(log_format: Literal["json", "console"], level: str) -> None:
    """Send all logs of this process to standard error in one format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _process_id,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            Repeats(SystemClock().monotonic),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_rendering(log_format))
    handler.setFormatter(formatter)
    root = logging.root
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    # A line a task is a line a chunk of messages: Celery's own accounting is kept for when somebody asks for it.
    for noisy in ("celery.worker.strategy", "celery.app.trace"):
        logging.root.manager.getLogger(noisy).setLevel(max(LEVELS[level], 30 if level != "debug" else 10))


def _rendering(log_format: Literal["json", "console"]) -> list[Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    # Both without local variables: a traceback must not carry a token, nor a user's texts.
    if log_format == "console":
        formatter = structlog.dev.RichTracebackFormatter(show_locals=False)
        return [remove, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=formatter)]
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [remove, structlog.processors.ExceptionRenderer(traceback), structlog.processors.JSONRenderer()]


def _process_id(_logger: object, _name: str, event: EventDict) -> EventDict:
    event["pid"] = os.getpid()
    return event
