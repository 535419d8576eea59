"""Whether a callback is where its record says."""

import pytest

from worker.contract.callback_audits import CallbackFault, CallbackPlaces
from worker.contract.callbacks import CallbackState

WAITING, DELIVERED, DEAD = CallbackState
NOWHERE, OUTBOX, QUEUE, GIVEN_UP = (False,) * 3, (True, False, False), (False, True, False), (False, False, True)
TOLD, UNTOLD = True, False


@pytest.mark.parametrize(
    ("is_told", "state", "places", "fault"),
    [
        (TOLD, None, OUTBOX, None),
        (TOLD, None, QUEUE, None),
        (TOLD, WAITING, QUEUE, None),
        (TOLD, WAITING, OUTBOX, None),
        (TOLD, DELIVERED, NOWHERE, None),
        (TOLD, DEAD, GIVEN_UP, None),
        (TOLD, DEAD, NOWHERE, None),
        (UNTOLD, None, NOWHERE, None),
        (UNTOLD, None, OUTBOX, None),
        (UNTOLD, None, QUEUE, None),
        (TOLD, None, NOWHERE, CallbackFault.UNTOLD),
        (TOLD, WAITING, NOWHERE, CallbackFault.UNTOLD),
        (TOLD, None, (True, True, False), CallbackFault.SEVERAL_PLACES),
        (TOLD, WAITING, (False, True, True), CallbackFault.SEVERAL_PLACES),
        (TOLD, DELIVERED, OUTBOX, CallbackFault.ENDED),
        (TOLD, DELIVERED, QUEUE, CallbackFault.ENDED),
        (TOLD, DELIVERED, GIVEN_UP, CallbackFault.ENDED),
        (TOLD, DEAD, QUEUE, CallbackFault.ENDED),
        (TOLD, DEAD, (True, False, True), CallbackFault.ENDED),
        (UNTOLD, None, GIVEN_UP, CallbackFault.NOTHING_TO_TELL),
    ],
)
def test_what_is_to_be_told_is_in_one_place_and_what_is_over_in_no_queue(
    is_told: bool,  # noqa: FBT001 - a column of the table
    state: CallbackState | None,
    places: tuple[bool, bool, bool],
    fault: CallbackFault | None,
) -> None:
    assert CallbackPlaces(is_told, state, *places).fault == fault
