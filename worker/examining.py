"""Says once, at the start of a process, what its stores may lose."""

from contextlib import suppress

import structlog

from worker.contract.errors import LedgerUnavailableError
from worker.ports import Durability

log = structlog.get_logger(__name__)


async def log_durability(examined: Durability) -> None:
    """Warn of what the stores do not keep; one that is away is told elsewhere."""
    with suppress(LedgerUnavailableError):
        for finding in await examined.findings():
            log.warning("ledger_not_durable", what=finding.what, advice=finding.advice)
    for finding in await examined.broker_findings():
        log.warning("broker_not_durable", what=finding.what, advice=finding.advice)
