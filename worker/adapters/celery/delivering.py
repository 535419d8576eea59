"""The Celery app of a worker: Celery's own, and what its pool, its steps and its children share."""

from celery import Celery

from worker.adapters.celery.vitals import Vitals

LOOK_EVERY = 1.0
"""Seconds between two looks of the watchdog."""


class DeliveringApp(Celery):
    """A Celery app whose worker delivers."""

    vitals: Vitals
    drain: float
    """Seconds that children may take to finish what they hold."""
    patience: int
    """Looks at which something must be wrong in a row before the watchdog acts; 0: it never does."""

    def share(self, vitals: Vitals, drain_timeout: int, watchdog: int) -> None:
        """Keep what the parts of a worker share; times are in milliseconds."""
        self.vitals = vitals
        self.drain = drain_timeout / 1000
        self.patience = -(-watchdog // int(LOOK_EVERY * 1000))
