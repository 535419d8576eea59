"""Exit codes of a worker that was told to end: 0 if it drained, for Ctrl-C as for SIGTERM, and 1 if it was hurried.

Celery has 1 for any Ctrl-C, and 0 for most of its cold shutdowns (SIGQUIT, a second Ctrl-C), though it means 1.
"""

from typing import Any

from celery.apps.worker import (  # type: ignore[attr-defined]  # missing in the stubs
    install_worker_term_handler,
    on_SIGINT,
)
from celery.bootsteps import StartStopStep
from celery.platforms import EX_FAILURE, EX_OK
from celery.worker import state
from typing_extensions import override


class Interrupts(StartStopStep):
    """Step of the worker that puts its own handler of SIGINT in the place of Celery's."""

    @override
    def start(self, parent: Any) -> None:
        """Do what Celery does at a first SIGINT, with another exit code."""
        # `how` and `exitcode` are named because Celery's REMAP_SIGTERM changes those of this handler.
        install_worker_term_handler(parent, sig="SIGINT", how="Warm", callback=on_SIGINT, exitcode=EX_OK)

    @override
    def stop(self, parent: Any) -> None:
        """Leave the handler: a second Ctrl-C is heard while the worker stops."""

    @override
    def terminate(self, parent: Any) -> None:
        """Say that the worker was hurried: Celery forgets the exit code of a cold shutdown."""
        parent.exitcode = EX_FAILURE


def tell_haste(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's worker
    """Say that the worker was hurried, where that came while it drained."""
    if state.should_terminate:
        sender.exitcode = EX_FAILURE
