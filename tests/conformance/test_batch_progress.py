"""What every store does that knows how far batch jobs are; see `batch_ports.Progress`."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from redis.asyncio import Redis

from tests.fakes.batch_jobs import FakeBatchJobs, FakeProgress
from tests.fakes.callbacks import FakeCallbackOutbox
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import FakeLedger
from worker.adapters.redis.batch_jobs import RedisBatchJobs
from worker.adapters.redis.batch_progress import RedisBatchProgress
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.keys import Keys
from worker.batch_ports import BatchJobs, Noted, Progress
from worker.callbacks.ports import Outbox
from worker.contract.batch_jobs import CANCEL, PAUSE, RESUME, RUN, Change, Extent, JobState, PartSummary, Upload
from worker.contract.callbacks import BatchProgress, CallbackSettlement, CallbackVerdict, DueCallback, ProgressKey
from worker.contract.origins import BatchTally, Origin
from worker.contract.progress import Standing

Result = TypeVar("Result")
BATCH = Origin("shop", "june.1")
LOOK = 1_000
HALF = BatchTally(taken=10, open=5, S=2, F=1, U=1, forgotten=1)


class Driver:
    """Drives a store, and the outbox that it fills, from a plain test."""

    def __init__(
        self,
        stores: tuple[BatchJobs, Progress, Outbox],
        clock: FakeClock,
        ledger: FakeLedger,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
    ) -> None:
        self.jobs, self.progress, self.outbox = stores
        self.clock, self._ledger, self._run = clock, ledger, run

    def wait(self, operation: Coroutine[Any, Any, Result]) -> Result:
        result: Result = self._run(operation)
        return result

    def advance(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self._ledger.now = self.clock.now()

    def create(self, batch: Origin = BATCH) -> None:
        self.wait(self.jobs.create(batch, b"{}", LOOK))
        self.upload(1, batch)

    def upload(self, part: int, batch: Origin = BATCH) -> None:
        self.begin(part, batch)
        self.wait(self.jobs.finish(Upload(batch, part, "u"), PartSummary(10)))

    def begin(self, part: int, batch: Origin = BATCH) -> None:
        self.wait(self.jobs.begin(Upload(batch, part, "u"), "0a" * 32, Extent(10, 10)))

    def move(self, change: Change, batch: Origin = BATCH) -> None:
        self.wait(self.jobs.move(batch, change, 0, LOOK))

    def due(self, most: int = 10) -> list[Standing]:
        return self.wait(self.progress.due(most))

    def note(self, standing: Standing, passed: int, told: BatchTally | None = HALF, look: int = LOOK) -> bool:
        (noted,) = self.wait(self.progress.note([Noted(standing, passed, look, told)]))
        return noted

    def settled_at(self) -> int | None:
        job = self.wait(self.jobs.find(BATCH))
        assert job is not None
        return job.settled_at

    def running(self) -> Standing:
        """Return how a batch stands that was just run."""
        self.create()
        self.move(RUN)
        (standing,) = self.due()
        return standing

    def claim(self) -> list[DueCallback]:
        return self.wait(self.outbox.claim(dict.fromkeys(self.wait(self.outbox.due()), 10), 1_000))

    def settle(self, callback: DueCallback, verdict: CallbackVerdict) -> bool:
        (done,) = self.wait(self.outbox.settle([CallbackSettlement(callback, verdict, tries=1, detail="HTTP 500")]))
        return done


@pytest.fixture(params=["model", "valkey"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    clock = FakeClock()
    ledger = FakeLedger(shards=2)
    ledger.now = clock.now()
    with asyncio.Runner() as runner:
        if request.param == "model":
            jobs, outbox = FakeBatchJobs(clock), FakeCallbackOutbox(ledger)
            outbox.progress, outbox.passed = jobs.progress, jobs.passed
            yield Driver((jobs, FakeProgress(jobs), outbox), clock, ledger, runner.run)
            return
        redis, keys = Redis.from_url(request.getfixturevalue("redis_url")), Keys(2)
        stores = (
            RedisBatchJobs(redis, keys, clock.now),
            RedisBatchProgress(redis, keys, clock.now),
            RedisCallbackOutbox(redis, keys, clock.now),
        )
        yield Driver(stores, clock, ledger, runner.run)
        runner.run(redis.aclose())


def test_a_held_batch_is_not_looked_at_and_one_that_runs_is_at_once(driver: Driver) -> None:
    driver.create()
    assert driver.due() == []
    created = driver.clock.now()
    driver.advance(5)
    driver.move(RUN)

    assert driver.due() == [Standing(BATCH, JobState.RUNNING, 1, 10, 0, created, created + 5, 0)]


def test_a_batch_that_is_cancelled_before_it_ran_is_looked_at(driver: Driver) -> None:
    driver.create()
    driver.begin(2)
    driver.move(CANCEL)

    assert [(one.state, one.rows, one.lacking) for one in driver.due()] == [(JobState.CANCELLED, 20, 1)]


def test_no_more_than_asked_for_are_looked_at(driver: Driver) -> None:
    batches = [Origin("shop", "a"), Origin("shop", "b"), Origin("cafe", "a")]
    for batch in batches:
        driver.create(batch)
        driver.move(RUN, batch)

    assert len(driver.due(2)) == 2
    assert {one.origin for one in driver.due(3)} == set(batches)


def test_what_was_passed_is_told_once_however_often_it_is_noted(driver: Driver) -> None:
    standing = driver.running()
    driver.advance(5)

    assert [driver.note(standing, 50), driver.note(standing, 50)] == [True, False]

    (callback,) = driver.claim()
    key, now = ProgressKey("shop", "june.1", 50), driver.clock.now()
    told = BatchProgress(key, now, standing.created_at, JobState.RUNNING, HALF)
    assert callback == DueCallback(told, now + 1_000, now, 0)
    assert driver.claim() == []


def test_of_two_who_saw_the_same_one_notes_it(driver: Driver) -> None:
    both = [Noted(driver.running(), 25, LOOK, HALF)] * 2

    assert sorted(driver.wait(driver.progress.note(both))) == [False, True]
    assert len(driver.claim()) == 1


def test_who_saw_less_than_was_noted_since_notes_nothing(driver: Driver) -> None:
    standing = driver.running()
    driver.note(standing, 75)

    assert not driver.note(standing, 50)
    assert [callback.key for callback in driver.claim()] == [ProgressKey("shop", "june.1", 75)]


@pytest.mark.parametrize("change", ["a state", "a part"])
def test_a_job_that_changed_since_it_was_read_is_looked_at_anew(driver: Driver, change: str) -> None:
    standing = driver.running()
    if change == "a state":
        driver.move(PAUSE)
    else:
        driver.upload(2)

    assert not driver.note(standing, 100)
    assert driver.claim() == []
    (newer,) = driver.due()
    assert newer != standing
    assert driver.note(newer, 50)


def test_what_nobody_is_to_be_told_is_passed_all_the_same(driver: Driver) -> None:
    assert driver.note(driver.running(), 50, told=None)

    assert driver.claim() == []
    driver.advance(LOOK)
    assert [one.passed for one in driver.due()] == [50]


def test_a_job_is_looked_at_again_after_a_while_and_after_a_change_at_once(driver: Driver) -> None:
    assert driver.note(driver.running(), 0, look=1_000)
    driver.advance(999)
    assert driver.due() == []
    driver.advance(1)
    assert driver.note(driver.due()[0], 0, look=60_000)

    driver.move(PAUSE)

    assert [one.state for one in driver.due()] == [JobState.PAUSED]


def test_when_the_whole_was_seen_first_is_kept(driver: Driver) -> None:
    assert driver.note(driver.running(), 75)
    driver.advance(LOOK)
    seen_at = driver.clock.now()
    (standing,) = driver.due()
    assert driver.settled_at() is None

    assert driver.note(standing, 100)
    driver.advance(LOOK)
    assert not driver.note(standing, 100)
    driver.move(CANCEL)

    assert driver.settled_at() == seen_at


def test_after_the_whole_nobody_looks_any_more(driver: Driver) -> None:
    driver.note(driver.running(), 100)
    driver.advance(10 * LOOK)
    driver.upload(2)
    for change in (PAUSE, RESUME, CANCEL):
        driver.move(change)

    assert driver.due() == []
    assert [callback.key for callback in driver.claim()] == [ProgressKey("shop", "june.1", 100)]


def test_each_percentage_is_a_callback_of_its_own_with_its_own_end(driver: Driver) -> None:
    driver.note(driver.running(), 25)
    driver.advance(LOOK)
    driver.note(driver.due()[0], 75)
    first, second = sorted(driver.claim(), key=lambda callback: str(callback.key))

    assert driver.settle(first, CallbackVerdict.DELIVERED)
    assert driver.settle(second, CallbackVerdict.RETRY)
    assert not driver.settle(first, CallbackVerdict.RETRY)

    assert [(one.key, one.tries, one.since) for one in driver.claim()] == [(second.key, 1, second.since)]


def test_a_claimed_callback_comes_again_when_its_lease_ended(driver: Driver) -> None:
    driver.note(driver.running(), 100)
    (before,) = driver.claim()
    driver.advance(1_000)

    (after,) = driver.claim()

    assert after.told == before.told


def test_of_a_batch_that_is_forgotten_nothing_is_told_and_its_name_begins_anew(driver: Driver) -> None:
    driver.note(driver.running(), 25)
    job = driver.wait(driver.jobs.find(BATCH))
    assert job is not None
    assert driver.wait(driver.jobs.forget(job))
    driver.advance(LOOK)

    assert driver.due() == []
    assert driver.claim() == []

    driver.advance(LOOK)
    again = driver.running()
    assert again.passed == 0
    assert driver.note(again, 25)
    told = [callback.told for callback in driver.claim()]
    assert [one.created_at for one in told if isinstance(one, BatchProgress)] == [again.created_at]
