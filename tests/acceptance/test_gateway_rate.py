"""A gateway's send rate, kept by real worker processes; by the clock alone: `tests/unit/worker/test_pacing.py`."""

import asyncio
from pathlib import Path

from tests.premises import premises
from worker.adapters.gateways.simulator import Simulator
from worker.adapters.gateways.simulator.journal import JournalledCall
from worker.contract.users import GatewayRoute, Wallet

RATE = 100
MESSAGES = 100
"""PUSH and INBOX of each: two seconds' worth."""
FEW_SLOTS = {"slots": 40}
"""So that no process takes them all."""


def most_in_a_second(calls: list[JournalledCall]) -> int:
    return max(sum(len(one.message_ids) for one in calls if 0 <= one.at - first.at < 1_000) for first in calls)


def test_R69_several_processes_send_no_more_than_the_wallet_lets_through(
    redis_url: str, broker_url: str, tmp_path: Path
) -> None:
    calls: list[JournalledCall] = []

    async def main() -> None:
        simulator = Simulator(journal=calls.append)
        url = f"http://127.0.0.1:{await simulator.start()}"
        try:
            async with premises(redis_url, broker_url, tmp_path, **FEW_SLOTS) as here:
                await here.services.wallets.put(Wallet("GCASH", (GatewayRoute("paced", url, rate=RATE),)))
                ids = await here.take([f"customer-{number}" for number in range(MESSAGES)])
                with here.worker(), here.worker():
                    outcomes = await here.settled(ids)
        finally:
            await simulator.stop()
        assert {(outcome.whole.status, outcome.tries > 2) for outcome in outcomes} == {("S", False)}
        assert len({entry.worker for outcome in outcomes for entry in outcome.timeline}) >= 2

    asyncio.run(main())

    assert sum(len(call.message_ids) for call in calls) == 2 * MESSAGES
    # A machine that stands still for a moment makes late turns meet; what is due to nobody's lateness is exact in the
    # tests by virtual time.
    assert most_in_a_second(calls) <= 1.5 * RATE
    assert calls[-1].at - calls[0].at >= 0.7 * 1_000 * 2 * MESSAGES / RATE
