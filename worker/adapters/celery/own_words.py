"""Celery's own words to people, where logs are JSON: no banner, and all else that it says as a log line."""

import logging
import os
import sys
from contextlib import suppress
from typing import Any

import orjson
from celery.apps import worker as celery_worker

from worker.clock import SystemClock
from worker.contract.moments import moment_text


def speak_in_log_lines(worker: Any) -> None:  # noqa: ANN401 - Celery's worker
    """Have a worker that is about to start print nothing but log lines; the logs must be set up."""
    worker.quiet = True
    celery_worker.safe_say = _say  # type: ignore[attr-defined]  # missing in the stubs
    logging.captureWarnings(capture=True)


def _say(text: str, stream: object = None) -> None:  # noqa: ARG001 - Celery's own names one
    """Write a line as logs have it. Called from handlers of signals: a lock of the logs may be held meanwhile."""
    line = {
        "event": text,
        "level": "info",
        "logger": celery_worker.__name__,
        "pid": os.getpid(),
        "timestamp": moment_text(SystemClock().now()),
    }
    with suppress(OSError):  # to end in order matters more
        os.write(sys.__stderr__.fileno(), orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))  # type: ignore[union-attr]
