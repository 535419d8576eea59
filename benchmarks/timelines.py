"""Reads from the ledger how long messages took: taken and settled are both by the clock of Redis."""

from collections.abc import Sequence

from benchmarks.stack import Servers
from worker.bootstrap import Addresses, services
from worker.contract.outcomes import MessageOutcome
from worker.settings import read_settings


async def milliseconds_to_settle(found: Servers, message_ids: Sequence[str]) -> list[float]:
    """Return for each message how long it took from taken to S in all channels. Raises LookupError if one is not S."""
    async with services(read_settings(), Addresses(found.redis_url, found.redis_url)) as opened:
        outcomes = await opened.records.find(message_ids)
    return [_took(outcome) for outcome in outcomes]


def _took(outcome: MessageOutcome | None) -> float:
    if outcome is None or outcome.whole.status != "S":
        raise LookupError(outcome)
    return float(max(delivery.at or 0 for delivery in outcome.deliveries) - outcome.taken_at)
