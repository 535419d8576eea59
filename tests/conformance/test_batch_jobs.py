"""What every store of batch jobs does; see `batch_ports.BatchJobs`."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from redis.asyncio import Redis

from tests.fakes.batch_jobs import FakeBatchJobs
from tests.fakes.clock import FakeClock
from worker.adapters.redis.batch_jobs import RedisBatchJobs
from worker.adapters.redis.keys import Keys
from worker.batch_ports import BatchJobs
from worker.contract.batch_jobs import (
    CANCEL,
    MAX_ROWS,
    PAUSE,
    RESUME,
    RUN,
    BatchJob,
    Begun,
    Created,
    Example,
    Extent,
    JobState,
    Moved,
    PartSummary,
    Rejected,
    Upload,
)
from worker.contract.origins import Origin

Result = TypeVar("Result")
BATCH = Origin("shop", "june")
OTHER = Origin("shop", "july")
LOOK = 1_000
DEFINITION = b'{"appId":"shop"}'
TEN = Extent(10, 12)
SHA = "0a" * 32
SUMMARY = PartSummary(7, 1, 2, {"PARAM_ILLEGAL": Example(2, 4, "$.x: is required")}, {"unused": Example(1, 3, "")})


class Driver:
    """Drives a store from a plain test."""

    def __init__(self, jobs: BatchJobs, clock: FakeClock, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.jobs, self.clock, self._run = jobs, clock, run

    def wait(self, operation: Coroutine[Any, Any, Result]) -> Result:
        result: Result = self._run(operation)
        return result

    def create(self, batch: Origin = BATCH, definition: bytes = DEFINITION) -> Created:
        return self.wait(self.jobs.create(batch, definition, LOOK))

    def begin(self, upload_id: str = "u1", part: int = 1, sha256: str = SHA, extent: Extent = TEN) -> Begun:
        return self.wait(self.jobs.begin(Upload(BATCH, part, upload_id), sha256, extent))

    def finish(self, upload_id: str = "u1", part: int = 1) -> bool:
        return self.wait(self.jobs.finish(Upload(BATCH, part, upload_id), SUMMARY))

    def reject(self, chunk: int, *rows: Rejected, upload_id: str = "u1") -> bool:
        return self.wait(self.jobs.reject(Upload(BATCH, 1, upload_id), chunk, rows))

    def rejected(self, chunk: int, part: int = 1) -> list[Rejected] | None:
        return self.wait(self.jobs.rejected(BATCH, part, chunk))

    def find(self) -> BatchJob:
        found = self.wait(self.jobs.find(BATCH))
        assert found is not None
        return found

    def due(self) -> list[Origin]:
        return self.wait(self.jobs.due(10))


@pytest.fixture(params=["model", "valkey"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    clock = FakeClock()
    with asyncio.Runner() as runner:
        if request.param == "model":
            yield Driver(FakeBatchJobs(clock), clock, runner.run)
            return
        redis = Redis.from_url(request.getfixturevalue("redis_url"))
        yield Driver(RedisBatchJobs(redis, Keys(2), clock.now), clock, runner.run)
        runner.run(redis.aclose())


def row(number: int) -> Rejected:
    return Rejected(number, f"r{number}", "PARAM_ILLEGAL", "$.redirectUrl: is required")


def test_a_batch_is_created_once(driver: Driver) -> None:
    assert driver.wait(driver.jobs.find(BATCH)) is None
    assert [driver.create(), driver.create(), driver.create(definition=b"{}")] == [
        Created.NEW,
        Created.KNOWN,
        Created.INCONSISTENT,
    ]
    assert driver.find() == BatchJob(BATCH, DEFINITION, JobState.HELD, 0, driver.clock.now(), driver.clock.now(), 0, ())


def test_batches_are_listed(driver: Driver) -> None:
    driver.create()
    driver.create(OTHER)

    assert driver.wait(driver.jobs.all()) == [OTHER, BATCH]


def test_a_part_is_begun_again_until_it_is_done(driver: Driver) -> None:
    driver.create()

    assert [driver.begin("u1"), driver.begin("u1"), driver.begin("u2")] == [Begun.BEGUN] * 3
    assert driver.find().lacking == (1,)
    assert driver.finish("u2")
    assert driver.finish("u2")
    assert driver.begin("u3") is Begun.DONE
    (part,) = driver.find().parts
    assert (part.sha256, part.extent, part.done_at, part.summary) == (SHA, TEN, driver.clock.now(), SUMMARY)
    assert driver.find().lacking == ()
    assert driver.find().received == PartSummary(7, 1, 2)


def test_another_content_of_a_part_is_refused_done_or_not(driver: Driver) -> None:
    driver.create()
    driver.begin()

    assert driver.begin(sha256="0b" * 32) is Begun.INCONSISTENT
    driver.finish()
    assert driver.begin(sha256="0b" * 32) is Begun.INCONSISTENT


def test_of_several_uploads_the_newest_alone_may_write(driver: Driver) -> None:
    driver.create()
    driver.begin("u1")
    driver.reject(0, row(1))
    driver.begin("u2")

    assert not driver.reject(1, row(2), upload_id="u1")
    assert not driver.finish("u1")
    assert driver.rejected(0) is None
    assert driver.reject(0, row(3), upload_id="u2")
    assert driver.rejected(0) == [row(3)]


def test_a_part_of_no_batch_is_not_begun(driver: Driver) -> None:
    assert driver.begin() is Begun.ABSENT


@pytest.mark.parametrize("more", [0, 1])
def test_a_batch_has_so_many_rows_and_not_one_more(driver: Driver, more: int) -> None:
    driver.create()
    driver.begin(part=1, extent=Extent(MAX_ROWS - 10, 5))

    assert driver.begin(part=2, extent=Extent(10 + more, 20)) is (Begun.TOO_MANY if more else Begun.BEGUN)
    assert [part.number for part in driver.find().parts] == ([1] if more else [1, 2])


def test_parts_come_in_any_order(driver: Driver) -> None:
    driver.create()
    for part in (30, 2, 1):
        driver.begin(part=part)

    assert [part.number for part in driver.find().parts] == [1, 2, 30]


def test_rejected_rows_are_noted_once_and_read_by_chunks(driver: Driver) -> None:
    driver.create()
    driver.begin()

    assert driver.reject(0, row(1), row(2))
    assert driver.reject(0, row(1), row(2))
    assert driver.reject(1, row(9))
    assert [driver.rejected(chunk) for chunk in range(3)] == [[row(1), row(2)], [row(9)], None]
    assert driver.rejected(0, part=2) is None


def test_only_a_whole_batch_is_run(driver: Driver) -> None:
    driver.create()
    assert driver.wait(driver.jobs.move(BATCH, RUN, 0, LOOK)) is Moved.EMPTY
    driver.begin()
    assert driver.wait(driver.jobs.move(BATCH, RUN, 0, LOOK)) is Moved.INCOMPLETE
    driver.finish()
    assert driver.wait(driver.jobs.move(BATCH, RUN, 0, LOOK)) is Moved.MOVED
    assert driver.find().state is JobState.RUNNING


def test_states_follow_each_other_and_a_repeat_changes_nothing(driver: Driver) -> None:
    driver.create()
    driver.begin()
    driver.finish()
    codes = []
    for change in (PAUSE, RESUME, RUN, RUN, PAUSE, PAUSE, RUN, RESUME, RESUME):
        driver.clock.advance(1)
        moved = driver.wait(driver.jobs.move(BATCH, change, 5, LOOK))
        codes.append((moved.name, driver.find().state.name, driver.find().version))

    assert codes == [
        ("REFUSED", "HELD", 0),
        ("REFUSED", "HELD", 0),
        ("MOVED", "RUNNING", 1),
        ("MOVED", "RUNNING", 1),
        ("MOVED", "PAUSED", 2),
        ("MOVED", "PAUSED", 2),
        ("REFUSED", "PAUSED", 2),
        ("MOVED", "RUNNING", 3),
        ("MOVED", "RUNNING", 3),
    ]
    assert (driver.find().changed_at, driver.find().ended_before) == (driver.clock.now() - 1, 5)
    assert driver.wait(driver.jobs.move(OTHER, RUN, 0, LOOK)) is Moved.ABSENT


def test_somebody_looks_at_a_batch_when_its_time_has_come(driver: Driver) -> None:
    driver.create()
    assert driver.due() == []
    driver.clock.advance(LOOK)
    assert driver.due() == [BATCH]
    assert driver.wait(driver.jobs.postpone(driver.find(), 10))
    assert driver.find().carried_out
    assert driver.due() == []
    driver.clock.advance(10)
    assert driver.due() == [BATCH]


def test_a_batch_that_was_changed_since_is_neither_postponed_nor_forgotten(driver: Driver) -> None:
    driver.create()
    driver.begin()
    driver.finish()
    before = driver.find()
    driver.wait(driver.jobs.move(BATCH, RUN, 0, 0))

    assert not driver.wait(driver.jobs.postpone(before, LOOK))
    assert not driver.find().carried_out
    assert not driver.wait(driver.jobs.forget(before))
    assert driver.due() == [BATCH]


def test_a_forgotten_batch_leaves_nothing(driver: Driver) -> None:
    driver.create()
    driver.begin()
    driver.reject(0, row(1))
    driver.finish()

    assert driver.wait(driver.jobs.forget(driver.find()))
    assert not driver.wait(driver.jobs.forget(BatchJob(BATCH, b"", JobState.HELD, 0, 0, 0, 0, ())))
    assert driver.wait(driver.jobs.find(BATCH)) is None
    assert driver.rejected(0) is None
    assert driver.wait(driver.jobs.all()) == []


def test_a_cancelled_batch_takes_no_part_and_stays_cancelled(driver: Driver) -> None:
    driver.create()
    driver.begin(part=1)
    driver.finish(part=1)
    driver.begin(part=2)

    assert driver.wait(driver.jobs.move(BATCH, CANCEL, 0, LOOK)) is Moved.MOVED
    assert [driver.begin(part=part) for part in (1, 2, 3)] == [Begun.DONE, Begun.CANCELLED, Begun.CANCELLED]
    assert [driver.wait(driver.jobs.move(BATCH, change, 0, LOOK)) for change in (RUN, PAUSE, RESUME)] == [
        Moved.REFUSED
    ] * 3
    assert driver.find().state is JobState.CANCELLED


def test_what_is_due_is_given_to_one_who_asks_and_again_after_a_while(driver: Driver) -> None:
    driver.create()
    driver.clock.advance(LOOK)

    taken = [driver.wait(driver.jobs.take_due(10, 500)) for _ in range(2)]
    driver.clock.advance(500)

    assert taken == [[BATCH], []]
    assert driver.wait(driver.jobs.take_due(10, 500)) == [BATCH]


def test_whoever_works_on_a_batch_keeps_others_from_it_and_says_nothing_of_being_done(driver: Driver) -> None:
    driver.create()
    driver.clock.advance(LOOK)

    assert driver.wait(driver.jobs.hold(driver.find(), 10))
    assert driver.due() == []
    assert not driver.find().carried_out
    driver.wait(driver.jobs.move(BATCH, CANCEL, 0, 10))
    stale = replace(driver.find(), version=0)
    assert not driver.wait(driver.jobs.hold(stale, 10))


def test_states_are_had_of_many_and_of_what_is_no_job(driver: Driver) -> None:
    assert driver.wait(driver.jobs.states([])) == []
    driver.create()
    driver.create(OTHER)
    driver.wait(driver.jobs.move(OTHER, CANCEL, 0, LOOK))

    found = driver.wait(driver.jobs.states([OTHER, Origin("shop", "none"), BATCH, Origin("shop", "")]))

    assert found == [JobState.CANCELLED, None, JobState.HELD, None]
