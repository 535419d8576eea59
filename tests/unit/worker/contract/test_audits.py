"""What an audit compares."""

from dataclasses import replace

import pytest

from worker.contract.audits import Fault, Home, Miscount, miscounts
from worker.contract.messages import Channel
from worker.contract.outcomes import Tally

PLACE = ("shop", Channel.PUSH)
CLEAN = Tally(accepted=10, S=5, F=1, U=1, open=2, forgotten=1)
FOUND = Tally(accepted=9, S=5, F=1, U=1, open=2)


@pytest.mark.parametrize(
    ("home", "fault"),
    [
        (Home(recorded=True, open=True, due=True, backlogged=False), None),
        (Home(recorded=True, open=True, due=False, backlogged=True), None),
        (Home(recorded=True, open=False, due=False, backlogged=False), None),
        (Home(recorded=False, open=False, due=False, backlogged=False), None),
        (Home(recorded=True, open=True, due=False, backlogged=False), Fault.HOMELESS),
        (Home(recorded=True, open=True, due=True, backlogged=True), Fault.TWO_HOMES),
        (Home(recorded=True, open=False, due=True, backlogged=False), Fault.LEFT_BEHIND),
        (Home(recorded=True, open=False, due=False, backlogged=True), Fault.LEFT_BEHIND),
        (Home(recorded=False, open=False, due=True, backlogged=False), Fault.NO_RECORD),
        (Home(recorded=False, open=False, due=False, backlogged=False, windowed=True), Fault.NO_RECORD),
        (Home(recorded=True, open=True, due=True, backlogged=False, windowed=True), None),
        (Home(recorded=True, open=True, due=False, backlogged=True, windowed=True), Fault.OVERSTAYED),
        (Home(recorded=True, open=False, due=False, backlogged=False, windowed=True), Fault.OVERSTAYED),
        (Home(recorded=True, open=True, due=True, backlogged=False, windowed=True, strayed=True), Fault.OVERSTAYED),
    ],
)
def test_an_open_message_has_one_home_a_final_one_none_and_a_window_holds_who_is_due(
    home: Home, fault: Fault | None
) -> None:
    assert home.fault == fault


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
