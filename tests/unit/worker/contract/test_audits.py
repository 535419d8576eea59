"""What an audit compares."""

from dataclasses import replace

import pytest

from worker.contract.audits import Fault, Home

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
