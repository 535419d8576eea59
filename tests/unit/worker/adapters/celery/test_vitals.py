import os

from worker.adapters.celery.vitals import Vitals


def test_nobody_stops_before_the_worker_says_so_and_then_everybody() -> None:
    vitals = Vitals()
    pulses = [vitals.pulse(0), vitals.pulse(7), vitals.pulse(-1)]

    assert [pulse.stopping for pulse in pulses] == [False] * 3
    vitals.stop()
    assert [pulse.stopping for pulse in pulses] == [True] * 3


def test_beats_are_read_by_the_number_of_the_child_and_its_process_id() -> None:
    vitals = Vitals()

    vitals.pulse(0).beat(4)
    vitals.pulse(1).beat(9)

    assert [vitals.beats(child, os.getpid()) for child in (0, 1, 2)] == [4, 9, None]


def test_a_child_that_takes_the_place_of_another_has_not_beaten_yet() -> None:
    vitals = Vitals()

    vitals.pulse(0).beat(4)

    assert vitals.beats(0, os.getpid() + 1) is None


def test_a_process_without_a_number_is_not_seen_to_beat() -> None:
    vitals = Vitals()

    vitals.pulse(-1).beat(4)

    assert [vitals.beats(child, os.getpid()) for child in (-1, 0)] == [None, None]
    assert not vitals.pulse(0).stopping


def test_there_are_places_for_more_children_than_anybody_starts() -> None:
    vitals = Vitals()

    vitals.pulse(1_023).beat(4)
    vitals.pulse(1_024).beat(4)

    assert [vitals.beats(child, os.getpid()) for child in (1_023, 1_024)] == [4, None]


def test_a_forked_child_writes_what_its_parent_reads() -> None:
    vitals = Vitals()
    vitals.stop()

    child = os.fork()
    if not child:
        vitals.pulse(3).beat(8 if vitals.pulse(3).stopping else 1)
        os._exit(0)
    os.waitpid(child, 0)

    assert vitals.beats(3, child) == 8
