"""Which counters the records contradict."""

from dataclasses import replace

import pytest

from worker.contract.counting import BatchMiscount, Miscount, batch_miscounts, miscounts
from worker.contract.messages import Channel
from worker.contract.origins import BatchTally, Origin
from worker.contract.outcomes import Tally

PLACE = ("shop", Channel.PUSH)
CLEAN = Tally(accepted=10, S=5, F=1, U=1, open=2, forgotten=1)
FOUND = Tally(accepted=9, S=5, F=1, U=1, open=2)
BATCH = Origin("shop", "june")


def test_at_rest_counters_that_equal_the_records_are_right() -> None:
    assert list(miscounts({PLACE: CLEAN}, {PLACE: FOUND}, {PLACE: CLEAN})) == []


@pytest.mark.parametrize("status", ["accepted", "S", "F", "U", "open"])
def test_at_rest_every_number_must_be_exact(status: str) -> None:
    counted = getattr(FOUND, status)
    for wrong in (counted - 1, counted + 1):
        found = {PLACE: replace(FOUND, **{status: wrong})}

        assert list(miscounts({PLACE: CLEAN}, found, {PLACE: CLEAN})) == [Miscount(*PLACE, status, counted, wrong)]


def test_a_number_may_be_off_by_what_moved_meanwhile_and_no_more() -> None:
    before, after = Tally(accepted=10, open=10), Tally(accepted=12, open=9, S=3)

    near = {PLACE: Tally(accepted=12, open=12)}
    far = {PLACE: Tally(accepted=20, open=20)}

    assert list(miscounts({PLACE: before}, near, {PLACE: after})) == []
    assert {miscount.status for miscount in miscounts({PLACE: before}, far, {PLACE: after})} == {"accepted", "open"}


def test_records_without_a_counter_and_counters_without_a_record_differ() -> None:
    one = Tally(accepted=1, S=1)

    uncounted = list(miscounts({}, {PLACE: one}, {}))
    unrecorded = list(miscounts({PLACE: one}, {}, {PLACE: one}))

    assert [(miscount.counted, miscount.found) for miscount in uncounted] == [(0, 1)] * 2
    assert [(miscount.counted, miscount.found) for miscount in unrecorded] == [(1, 0)] * 2


def test_the_counters_of_a_batch_are_held_to_its_records_in_the_same_way() -> None:
    counted = {BATCH: BatchTally(taken=7, open=3, S=2, forgotten=2)}
    records = BatchTally(taken=5, open=3, S=2)

    assert list(batch_miscounts(counted, {BATCH: records}, counted)) == []
    assert list(batch_miscounts(counted, {BATCH: replace(records, open=2, S=3)}, counted)) == [
        BatchMiscount(BATCH, "open", 3, 2),
        BatchMiscount(BATCH, "S", 2, 3),
    ]


def test_a_batch_of_which_messages_were_taken_meanwhile_may_be_off_by_as_many() -> None:
    before, after = {BATCH: BatchTally(taken=5, open=5)}, {BATCH: BatchTally(taken=8, open=8)}

    assert list(batch_miscounts(before, {BATCH: BatchTally(taken=6, open=6)}, after)) == []
    assert len(list(batch_miscounts(before, {BATCH: BatchTally(taken=12, open=12)}, after))) == 2
