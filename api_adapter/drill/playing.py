"""Plays one fault on a fresh stack, from its start to its row."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from api_adapter.drill.evidence import gather
from api_adapter.drill.fault import Fault
from api_adapter.drill.load import Load
from api_adapter.drill.row import Books, Row, make_row, unplayed
from api_adapter.drill.sends import SECOND_WALLET, WALLET, Via, register
from api_adapter.drill.stack import DrillStack, drill_stack
from api_adapter.drill.stage import Stage
from api_adapter.drill.times import Times
from api_adapter.stack.exchanges import http_client
from api_adapter.stack.guarding import guarded
from api_adapter.stack.samples import put_templates
from api_adapter.wiring import Front, front
from worker.contract.codes import ResultStatus
from worker.contract.errors import LedgerUnavailableError, TidingsError
from worker.contract.outcomes import Tally
from worker.contract.users import GatewayRoute, Wallet
from worker.settings import Settings

_GLANCE = 0.1
_PATIENCE = 90.0
"""Seconds without any movement after which what is open counts as stuck."""
_MERCHANTS_PATIENCE = 10.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Drill:
    """How faults are played."""

    settings: Settings
    times: Times
    messages: int
    directory: Path
    """Each fault has a directory of its own below it."""

    async def play(self, fault: Fault, tell: Tell) -> Row:
        """Play a fault and return its row; `tell` hears how far it is.

        A fault that can't be played, such as on a stack with a part that does not start, has a row that says so.
        """
        try:
            async with drill_stack(self.settings, fault.layout, self.directory / fault.name) as stack:
                return await guarded(self._performance(stack, fault, tell), stack.parts.watch())
        except* TidingsError as errors:
            reason = _first(errors)
        return unplayed(fault, reason)

    async def _performance(self, stack: DrillStack, fault: Fault, tell: Tell) -> Row:
        async with self._stage(stack, fault) as stage:
            tell("sending")
            await self._send_and_play(stage, fault)
            tell("settling")
            await _settled(stage)
            tell("counting")
            evidence = await gather(stage)
            return make_row(fault, evidence, await _books(stage), stage.problems)

    @asynccontextmanager
    async def _stage(self, stack: DrillStack, fault: Fault) -> AsyncIterator[Stage]:
        sends = fault.sends(self.messages)
        async with front(stack.settings, stack.addresses) as desk, http_client(_MERCHANTS_PATIENCE) as client:
            await _furnish(stack, desk)
            await register(desk.services, sends)
            await stack.start_rest()
            load = Load(client, stack.api_url, desk.intake)
            yield Stage(stack, desk.services, load, sends, self.times, desk.services.clock)

    async def _send_and_play(self, stage: Stage, fault: Fault) -> None:
        before, tail = self.times.lead + fault.lasts(self.times), self.times.tail
        ours = [send for send in stage.sends if send.via is not Via.FAULT]
        share = int(len(ours) * before / (before + tail))
        async with asyncio.TaskGroup() as group:
            loading = group.create_task(stage.load.run(ours[:share], before))
            loading.add_done_callback(lambda _: stage.loaded.set())
            group.create_task(fault.play(stage))
        await stage.load.run(ours[share:], tail)


def _first(errors: BaseException) -> str:
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return str(errors)


async def _furnish(stack: DrillStack, desk: Front) -> None:
    await desk.services.ledger.open()
    await put_templates(desk.services)
    for name in (WALLET, SECOND_WALLET):
        await desk.services.wallets.put(Wallet(name, (GatewayRoute(f"gateway-of-{name}", stack.wallet_url(name)),)))


async def _settled(stage: Stage) -> None:
    """Return once nothing is open, or nothing has moved for long."""
    before, moved_at = Tally(), stage.clock.monotonic()
    while True:
        with suppress(LedgerUnavailableError):
            now = await stage.tally()
            if not now.open:
                return
            if now != before:
                before, moved_at = now, stage.clock.monotonic()
        if stage.clock.monotonic() - moved_at > _PATIENCE:
            return
        await asyncio.sleep(_GLANCE)


async def _books(stage: Stage) -> Books:
    refused = [
        f"{send.request_id}: {reply.status} {reply.code}"
        for send, reply in stage.load.replies.items()
        if reply.status != ResultStatus.S
    ]
    refused += [f"{send.request_id}: never sent" for send in stage.sends if send not in stage.load.replies]
    audits = [audit async for audit in stage.services.audit.shards()]
    return Books(await stage.tally(), audits, refused)
