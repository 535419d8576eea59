"""The end of claims: turns answers into settlements and records them, many in one round trip."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

import structlog

from worker.contract.errors import LedgerFaultError, LedgerUnavailableError
from worker.contract.messages import Channel, Settled, Settlement, Verdict
from worker.holding import Held
from worker.ports import Ledger
from worker.retry import RetryPolicy, condemn, decide, expire

Settlements = Callable[[list[Held]], None]
_PATIENCE = 0.5
_PACE = 0.002
"""Seconds between the beginnings of two round trips: what is answered meanwhile is settled together."""

log = structlog.get_logger(__name__)


class Settler:
    """Collects answered messages and settles all that came together while the last settlement was under way."""

    def __init__(self, ledger: Ledger, policy: RetryPolicy, draw: Callable[[], float], worker: str) -> None:
        """Keep the collaborators; `draw` gives jitter in [0, 1), `worker` is this process' name in timelines."""
        self._ledger = ledger
        self._policy = policy
        self._draw = draw
        self._worker = worker
        self._answered: list[Held] = []
        self._wake = asyncio.Event()
        self._settled: Settlements

    def wire(self, settled: Settlements) -> None:
        """Name who hears of messages that left our hands."""
        self._settled = settled

    def put(self, held: Held) -> None:
        """Take a message whose open channels all have an answer, or that is past its deadline."""
        if not self._answered:
            self._wake.set()
        self._answered.append(held)

    async def run(self) -> None:
        """Settle whatever was put, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._answered = self._answered, []
            begun = loop.time()
            await self._settle(batch)
            await asyncio.sleep(begun + _PACE - loop.time())

    async def _settle(self, batch: list[Held]) -> None:
        results = await self._record([self._end(one) for one in batch])
        stale = sum(result is Settled.STALE for result in results)
        if stale:
            log.warning("settlements_were_stale", messages=stale)
        self._settled(batch)

    def _end(self, held: Held) -> Settlement:
        if held.claim.poison:
            return condemn(held.claim, self._worker)
        if held.expired:
            return expire(held.claim, self._worker)
        settlement = decide(held.claim, held.answers, self._policy, self._draw, self._worker)
        return _with_gateways(settlement, held.gateways)

    async def _record(self, settlements: list[Settlement]) -> list[Settled]:
        """Record, however long the ledger is away: what the gateways said is known here alone.

        A lease that ran out meanwhile makes a settlement stale, which the ledger's compare-and-set tells.
        """
        while True:
            try:
                return await self._ledger.settle(settlements)
            except LedgerFaultError:
                return await self._without_the_culprit(settlements)
            except LedgerUnavailableError as error:
                log.warning("settle_waits_for_ledger", messages=len(settlements), reason=str(error))
                await asyncio.sleep(_PATIENCE)

    async def _without_the_culprit(self, settlements: list[Settlement]) -> list[Settled]:
        """Record all but the one that the ledger can't take: its lease ends, and it alone is left."""
        if len(settlements) == 1:
            log.error("settlement_refused", message_id=settlements[0].message_id, advice="see tidings ledger check")
            return [Settled.STALE]
        middle = len(settlements) // 2
        return await self._record(settlements[:middle]) + await self._record(settlements[middle:])


def _with_gateways(settlement: Settlement, gateways: Mapping[Channel, str]) -> Settlement:
    """Say whose answer each update is, unless the message is final: then nobody has to ask that gateway anything."""
    if settlement.verdict is Verdict.FINAL:
        return settlement
    updates = (replace(update, gateway=gateways.get(update.channel, "")) for update in settlement.updates)
    return replace(settlement, updates=tuple(updates))
