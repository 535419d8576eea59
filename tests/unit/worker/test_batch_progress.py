"""How often somebody looks how far a batch job is."""

import asyncio

import pytest

from tests.fakes.batch_jobs import FakeBatchJobs, FakeProgress
from tests.fakes.callbacks import FakeCallbackRegistry
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from tests.fakes.origins import FakeBatches
from tests.ledger_driver import new_messages
from worker.batch_progress import ProgressTeller
from worker.contract.batch_jobs import RUN, Extent, PartSummary, Upload
from worker.contract.messages import Lane
from worker.contract.origins import BatchPart, Origin

BATCH = Origin("shop", "june")


@pytest.mark.parametrize(
    ("age", "delay"), [(0, 1_000), (20_000, 1_000), (60_000, 3_000), (200_000, 10_000), (86_400_000, 10_000)]
)
def test_the_longer_a_batch_runs_the_rarer_it_is_looked_at(age: int, delay: int) -> None:
    async def story() -> None:
        clock, ledger = FakeClock(), FakeLedger()
        jobs = FakeBatchJobs(clock)
        await jobs.create(BATCH, b"{}", 1_000)
        upload = Upload(BATCH, 1, "u")
        await jobs.begin(upload, "0a" * 32, Extent(1, 1))
        await ledger.accept("shop", Lane.BULK, new_messages(1), part=BatchPart("june"))
        await jobs.finish(upload, PartSummary(1))
        await jobs.move(BATCH, RUN, 0, 1_000)
        teller = ProgressTeller(
            progress=FakeProgress(jobs),
            jobs=jobs,
            batches=FakeBatches(ledger),
            registry=FakeCallbackRegistry(),
            clock=clock,
        )
        clock.advance(age)

        await teller.look_after()

        clock.advance(delay - 1)
        assert jobs.standings() == []
        clock.advance(1)
        assert len(jobs.standings()) == 1

    asyncio.run(story())
