"""A store that a test can take away."""

from worker.contract.errors import LedgerUnavailableError


class Outage:
    """Base of the fakes of stores: a test sets `away` to have every call fail."""

    away = False

    def answer(self) -> None:
        """Return, or raise LedgerUnavailableError while `away`."""
        if self.away:
            raise LedgerUnavailableError("the fake store is away; set `away` to False")
