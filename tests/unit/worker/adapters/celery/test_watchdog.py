from collections.abc import Iterator
from dataclasses import replace

import pytest
from celery import Celery
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.celery.app import HintSender, publishing_app
from worker.adapters.celery.watchdog import Diagnosis, Glance, Hearts, Queues, Remedy
from worker.contract.messages import Hint, Lane

IDLE = Glance(taken=5, waiting=3, free=True)
GLANCES = st.none() | st.builds(Glance, st.integers(0, 3), st.integers(0, 1), st.booleans())


def remedies(*glances: Glance | None, patience: int = 3) -> list[Remedy]:
    """Return what is done about a worker that was seen so, where something is."""
    diagnosis = Diagnosis(patience)
    return [remedy for one in glances if (remedy := diagnosis.judge(one)) is not Remedy.NONE]


def test_a_worker_before_whom_hints_wait_and_who_takes_none_reconnects_and_is_recycled_if_that_does_not_help() -> None:
    assert remedies(*[IDLE] * 4) == [Remedy.RECONNECT]
    assert remedies(*[IDLE] * 7) == [Remedy.RECONNECT, Remedy.RECYCLE]


def test_a_worker_gets_as_many_looks_as_it_was_given() -> None:
    assert remedies(*[IDLE] * 3) == []
    assert remedies(*[IDLE] * 6) == [Remedy.RECONNECT]


def test_a_worker_that_takes_hints_again_after_reconnecting_is_as_good_as_new() -> None:
    busy = replace(IDLE, taken=6)

    assert remedies(*[IDLE] * 4, *[busy] * 4) == [Remedy.RECONNECT] * 2


@pytest.mark.parametrize(
    "between",
    [None, replace(IDLE, waiting=0), replace(IDLE, free=False), replace(IDLE, taken=4)],
    ids=["its broker is away", "nothing waits", "it is busy", "it took one"],
)
def test_looks_at_a_worker_that_has_no_reason_to_take_a_hint_do_not_count(between: Glance | None) -> None:
    assert remedies(*[IDLE] * 3, between, *[IDLE] * 2) == []


@given(st.lists(GLANCES.filter(lambda glance: glance is None or not glance.free or not glance.waiting)))
def test_nothing_is_ever_done_about_a_worker_that_is_full_or_idle_or_without_a_broker(seen: list[Glance]) -> None:
    assert remedies(*seen, patience=1) == []


@given(st.lists(GLANCES))
def test_no_worker_is_recycled_that_did_not_reconnect_before(seen: list[Glance]) -> None:
    done = remedies(*seen, patience=2)

    assert all(done[place - 1] is Remedy.RECONNECT for place, one in enumerate(done) if one is Remedy.RECYCLE)
    assert done[:1] in ([], [Remedy.RECONNECT])


def test_a_loop_that_stopped_beating_is_told_after_so_many_looks() -> None:
    hearts = Hearts(2)

    seen = [hearts.hanging({11: number, 12: 7}) for number in range(6)]

    assert seen == [[], [], [12], [], [12], []]


def test_a_loop_that_beats_again_is_not_told() -> None:
    hearts = Hearts(2)

    assert [hearts.hanging({11: number}) for number in (7, 7, 8, 8)] == [[]] * 4


def test_a_child_that_never_beat_is_not_told() -> None:
    hearts = Hearts(1)

    assert [hearts.hanging({11: None}) for _ in range(5)] == [[]] * 5


def test_a_child_in_the_place_of_another_starts_anew() -> None:
    hearts = Hearts(1)

    assert [hearts.hanging(beats) for beats in ({11: 7}, {12: 7}, {12: 7})] == [[], [], [12]]


@pytest.fixture
def app() -> Iterator[Celery]:
    found = publishing_app("memory://")
    yield found
    found.close()


def test_hints_that_wait_are_counted_over_all_queues_of_the_worker(app: Celery) -> None:
    queues = Queues(app.connection_for_read, lambda: ["single", "bulk"])
    before = queues.waiting()
    for lane in (Lane.SINGLE, Lane.BULK, Lane.BULK):
        HintSender(app)([Hint(lane, 0, ("a",))])

    assert (before, queues.waiting()) == (0, 3)
    queues.close()


def test_a_broker_that_is_away_is_no_empty_queue() -> None:
    app = publishing_app("redis://127.0.0.1:1/0")
    queues = Queues(app.connection_for_read, lambda: ["single"])

    assert queues.waiting() is None
    app.close()
