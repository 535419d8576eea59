"""Ends the process that serves when its starter is gone: a killed `tidings serve` would leave it on the port."""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

_PATIENCE = 10.0
"""Seconds in which requests under way are finished, as `serve` gives them."""

log = structlog.get_logger(__name__)


@contextmanager
def ended_with_its_parent() -> Iterator[None]:
    """Have this process stop serving once its parent has died, however it did; runs inside a running loop."""
    parent = multiprocessing.parent_process()
    if parent is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(parent.sentinel)
        log.warning("parent_is_gone", advice="the API finishes what is under way and ends; start it again")
        last = threading.Timer(_PATIENCE, os._exit, (1,))
        last.daemon = True
        last.start()
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(parent.sentinel, stop)
    try:
        yield
    finally:
        loop.remove_reader(parent.sentinel)
