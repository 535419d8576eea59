"""Which percentages of a batch are passed."""

import pytest

from worker.contract.batch_jobs import JobState
from worker.contract.origins import BatchTally, Origin
from worker.contract.progress import Standing, passed


def standing(state: JobState = JobState.RUNNING, lacking: int = 0, before: int = 0) -> Standing:
    return Standing(Origin("shop", "june"), state, 1, 100, lacking, 0, 0, before)


def tally(taken: int, final: int) -> BatchTally:
    return BatchTally(taken=taken, open=taken - final, S=final)


@pytest.mark.parametrize(
    ("final", "percent"),
    [(0, 0), (249, 0), (250, 25), (251, 25), (499, 25), (500, 50), (749, 50), (750, 75), (999, 75), (1_000, 100)],
)
def test_a_percentage_is_passed_once_so_many_messages_have_their_outcome(final: int, percent: int) -> None:
    assert passed(standing(), tally(1_000, final)) == percent


@pytest.mark.parametrize(("taken", "final", "percent"), [(1, 0, 0), (1, 1, 100), (3, 1, 25), (3, 2, 50), (7, 6, 75)])
def test_of_a_small_batch_the_highest_counts(taken: int, final: int, percent: int) -> None:
    assert passed(standing(), tally(taken, final)) == percent


def test_forgotten_messages_had_their_outcome() -> None:
    assert passed(standing(), BatchTally(taken=4, open=1, S=1, forgotten=2)) == 75


def test_a_batch_is_not_whole_while_a_part_lacks() -> None:
    assert passed(standing(lacking=1), tally(4, 4)) == 75
    assert passed(standing(lacking=1), tally(0, 0)) == 0
    assert passed(standing(), tally(4, 4)) == 100


def test_a_cancelled_batch_waits_for_no_part() -> None:
    assert passed(standing(JobState.CANCELLED, lacking=1), tally(4, 3)) == 75
    assert passed(standing(JobState.CANCELLED, lacking=1), tally(4, 4)) == 100


def test_a_batch_that_was_run_with_nothing_accepted_is_whole() -> None:
    assert passed(standing(), tally(0, 0)) == 100


def test_what_was_passed_stays_so_when_rows_come_after_the_run() -> None:
    assert passed(standing(before=75), tally(1_000, 100)) == 75
