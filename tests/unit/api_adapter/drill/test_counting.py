"""What is counted from hand-made evidence: each number must move when, and only when, its fault is in it."""

from dataclasses import replace

import pytest

from api_adapter.drill.counting import Counts, Evidence, Story, Window, count
from worker.adapters.gateways.simulator import JournalledCall
from worker.contract.codes import ResultStatus
from worker.contract.messages import DeadCause

ANN, BOB = (
    Story(key=name, request_id=f"bill-{name}", taken_at=1_000, state=ResultStatus.S, recorded_at=1_300)
    for name in ("ann", "bob")
)
OPEN = {"state": None, "recorded_at": None}


def call(at: int, *shown: str, asked: tuple[str, ...] = (), behaviour: str = "deliver") -> JournalledCall:
    """A call that shows `shown` and also asks for `asked`, which nobody sees because of it."""
    return JournalledCall(at, (*shown, *asked), shown, behaviour)


def of(*stories: Story, calls: tuple[JournalledCall, ...], window: Window | None = None) -> Counts:
    return count(Evidence(stories, calls, window))


SOUND = of(ANN, BOB, calls=(call(1_200, "ann", "bob"),))


def zeros(counts: Counts) -> tuple[tuple[str, ...], int, int, int, int]:
    return counts.lost, counts.duplicates, counts.answer_lost, counts.after_outcome, counts.frozen


def test_deliveries_that_were_shown_once_and_recorded_are_no_fault() -> None:
    assert (SOUND.accepted, SOUND.delivered, SOUND.states) == (2, 2, {ResultStatus.S: 2})
    assert zeros(SOUND) == ((), 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changed", "lost"),
    [
        (OPEN, True),
        ({**OPEN, "taken_at": 0}, True),
        ({"state": ResultStatus.U}, True),
        ({"state": ResultStatus.U, "dead": DeadCause.UNANSWERED}, False),
        ({"state": ResultStatus.F, "dead": DeadCause.TRIES}, False),
        ({"state": ResultStatus.F}, False),
    ],
)
def test_lost_is_what_is_neither_final_nor_a_dead_letter(changed: dict[str, object], lost: bool) -> None:  # noqa: FBT001 - expected
    found = of(ANN, replace(BOB, **changed), calls=(call(1_200, "ann"),))  # type: ignore[arg-type]  # any field

    assert found.lost == (("bob",) if lost else ())


def test_lost_is_also_what_the_ledger_calls_delivered_and_no_user_ever_saw() -> None:
    assert of(ANN, BOB, calls=(call(1_200, "ann", asked=("bob",)),)).lost == ("bob",)


def test_what_users_saw_again_is_a_duplicate_each_time() -> None:
    found = of(ANN, calls=(call(1_100, "ann"), call(1_200, "ann"), call(1_300, "ann")))

    assert (found.duplicates, found.answer_lost, found.delivered) == (2, 2, 1)


def test_a_call_for_what_was_shown_before_its_outcome_was_recorded_is_repeated_for_a_lost_answer() -> None:
    found = of(ANN, calls=(call(1_100, "ann", behaviour="act-hang"), call(1_300, asked=("ann",))))

    assert zeros(found) == ((), 0, 1, 0, 0)


def test_a_call_after_a_refusal_to_show_is_no_repeat() -> None:
    found = of(ANN, calls=(call(1_100, asked=("ann",), behaviour="garbage"), call(1_200, "ann")))

    assert zeros(found) == ((), 0, 0, 0, 0)


def test_a_call_that_began_after_the_outcome_was_recorded_is_counted_apart() -> None:
    found = of(ANN, calls=(call(1_200, "ann"), call(1_301, asked=("ann",))))

    assert zeros(found) == ((), 0, 0, 1, 0)


def test_so_is_one_after_a_recorded_failure_that_no_user_ever_saw() -> None:
    failed = replace(ANN, state=ResultStatus.F)

    assert of(failed, calls=(call(1_400, asked=("ann",)),)).after_outcome == 1


@pytest.mark.parametrize(
    ("at", "crashes", "thawed", "frozen"),
    [(2_000, 1, True, 1), (3_000, 1, True, 1), (3_001, 1, True, 0), (2_000, 0, True, 0), (2_000, 1, False, 0)],
)
def test_only_a_stopped_process_that_goes_on_may_write_what_it_had_been_about_to(
    at: int,
    crashes: int,
    thawed: bool,  # noqa: FBT001 - as above
    frozen: int,
) -> None:
    story = replace(ANN, crashes=crashes)

    found = of(story, calls=(call(1_200, "ann"), call(at, asked=("ann",))), window=Window(1_250, 2_000, thawed))

    assert (found.frozen, found.after_outcome) == (frozen, 1 - frozen)


def test_the_longest_stall_is_between_two_deliveries_while_others_wait() -> None:
    late = replace(BOB, recorded_at=4_100)

    assert of(ANN, late, calls=(call(1_200, "ann"), call(4_000, "bob"))).stall == 2.8


def test_a_time_in_which_nothing_waits_is_no_stall() -> None:
    later = replace(BOB, taken_at=9_000, recorded_at=9_200)

    assert of(ANN, later, calls=(call(1_200, "ann"), call(9_100, "bob"))).stall == 0.2


def test_the_time_of_the_fault_is_no_stall_and_what_follows_is() -> None:
    late = replace(BOB, recorded_at=5_100)
    calls = (call(1_200, "ann"), call(5_000, "bob"))

    assert of(ANN, late, calls=calls, window=Window(1_300, 4_500)).stall == 0.5


def test_what_waits_in_vain_for_its_outcome_is_a_stall_until_then() -> None:
    given_up = replace(BOB, state=ResultStatus.U, dead=DeadCause.UNANSWERED, recorded_at=7_200)

    assert of(ANN, given_up, calls=(call(1_200, "ann"),)).stall == 6.0


def test_recovery_is_the_first_delivery_of_what_was_accepted_after_the_fault() -> None:
    fresh = replace(BOB, taken_at=3_100, recorded_at=3_500)
    calls = (call(3_050, "ann"), call(3_400, "bob"))

    assert of(ANN, fresh, calls=calls, window=Window(2_000, 3_000)).recovery == 0.4


def test_without_anything_new_delivered_after_the_fault_there_is_no_recovery() -> None:
    assert of(ANN, calls=(call(3_050, "ann"),), window=Window(2_000, 3_000)).recovery is None
    assert SOUND.recovery is None
