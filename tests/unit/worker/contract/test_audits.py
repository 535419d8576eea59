"""What an audit compares."""

from dataclasses import replace

import pytest

from worker.contract.audits import Fault, Home, Miscount, miscounts
from worker.contract.messages import Channel
from worker.contract.outcomes import Tally

PLACE = ("shop", Channel.PUSH)
CLEAN = Tally(accepted=10, S=5, F=1, U=1, open=2, forgotten=1)
FOUND = Tally(accepted=9, S=5, F=1, U=1, open=2)


IN_FLIGHT = Home(recorded=True, open=True, due=True, backlogged=False, windowed=True)
WAITING = replace(IN_FLIGHT, windowed=False, waiting=True)
BACKLOGGED = Home(recorded=True, open=True, due=False, backlogged=True)
FINAL = Home(recorded=True, open=False, due=False, backlogged=False)
ABSENT = replace(FINAL, recorded=False)


@pytest.mark.parametrize(
    ("home", "fault"),
    [
        (IN_FLIGHT, None),
        (WAITING, None),
        (BACKLOGGED, None),
        (FINAL, None),
        (ABSENT, None),
        (replace(BACKLOGGED, backlogged=False), Fault.HOMELESS),
        (replace(IN_FLIGHT, backlogged=True), Fault.TWO_HOMES),
        (replace(IN_FLIGHT, open=False), Fault.LEFT_BEHIND),
        (replace(BACKLOGGED, open=False), Fault.LEFT_BEHIND),
        (replace(ABSENT, due=True), Fault.NO_RECORD),
        (replace(ABSENT, backlogged=True), Fault.NO_RECORD),
        (replace(ABSENT, strayed=True), Fault.NO_RECORD),
        (replace(BACKLOGGED, windowed=True), Fault.OVERSTAYED),
        (replace(BACKLOGGED, waiting=True), Fault.OVERSTAYED),
        (replace(FINAL, windowed=True), Fault.OVERSTAYED),
        (replace(FINAL, waiting=True), Fault.OVERSTAYED),
        (replace(IN_FLIGHT, strayed=True), Fault.OVERSTAYED),
        (replace(IN_FLIGHT, windowed=False), Fault.NOT_INDEXED),
        (replace(IN_FLIGHT, waiting=True), Fault.INDEXED_STILL),
        (replace(BACKLOGGED, unlisted=True), Fault.NOT_INDEXED),
        (replace(FINAL, unlisted=True), Fault.NOT_INDEXED),
        (replace(FINAL, listed_still=True), Fault.INDEXED_STILL),
        (replace(ABSENT, listed_still=True), Fault.NO_RECORD),
    ],
)
def test_an_open_message_has_one_home_a_final_one_none_and_every_index_names_who_belongs_there(
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
