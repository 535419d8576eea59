"""Which rows break the rule."""

from dataclasses import replace

import pytest

from api_adapter.drill.counting import Evidence, Story, Window
from api_adapter.drill.fault import DELIVERED_OR_UNKNOWN, Fault
from api_adapter.drill.report import HEADINGS, as_json, cells, markdown
from api_adapter.drill.row import Books, make_row, unplayed
from api_adapter.drill.stage import Stage
from worker.adapters.gateways.simulator import JournalledCall
from worker.contract.audits import Fault as LedgerFault
from worker.contract.audits import Misplaced, ShardAudit
from worker.contract.codes import ResultStatus
from worker.contract.messages import DeadCause
from worker.contract.outcomes import Tally


async def nothing(_stage: Stage) -> None:
    """Play no fault."""


FAULT = Fault("quiet", "Nothing happens", nothing)
STORY = Story(key="ann", request_id="bill-ann", taken_at=1_500, state=ResultStatus.S, recorded_at=1_900)
SHOWN = JournalledCall(1_800, ("ann",), ("ann",), "deliver")
SOUND = Evidence([STORY], [SHOWN], Window(1_000, 1_400))
BOOKS = Books(Tally(accepted=1, S=1), [], [])


def problems(evidence: Evidence = SOUND, books: Books = BOOKS, fault: Fault = FAULT) -> tuple[str, ...]:
    return make_row(fault, evidence, books).problems


def test_a_row_without_losses_and_repeats_keeps_the_rule() -> None:
    assert make_row(FAULT, SOUND, BOOKS).good


@pytest.mark.parametrize(
    ("evidence", "told"),
    [
        (replace(SOUND, stories=[replace(STORY, state=None)]), "1 deliveries are lost, such as ann"),
        (replace(SOUND, calls=[SHOWN, SHOWN._replace(at=1_850)]), "1 deliveries were shown again"),
        (
            replace(SOUND, calls=[SHOWN, SHOWN._replace(at=1_950, shown=())]),
            "1 calls were made for channels whose outcome was recorded",
        ),
        (replace(SOUND, window=Window(1_000, 1_600)), "nothing was delivered after the fault"),
    ],
)
def test_what_breaks_the_zero_rule_is_told(evidence: Evidence, told: str) -> None:
    assert told in problems(evidence)


def test_a_recovery_that_takes_longer_than_ten_seconds_is_told() -> None:
    late = replace(SOUND, stories=[replace(STORY, recorded_at=11_600)], calls=[SHOWN._replace(at=11_500)])

    assert problems(late) == ("delivery went on after 10.1 s, it must be within 10 s",)


def test_an_outcome_that_the_fault_does_not_excuse_is_told() -> None:
    given_up = replace(SOUND, stories=[STORY, replace(STORY, key="bob", state=ResultStatus.U, dead=DeadCause.TRIES)])
    books = replace(BOOKS, tally=Tally(accepted=2, S=1, U=1))

    assert problems(given_up, books) == ("1 deliveries did not end S; bill-ann is U",)
    assert problems(given_up, books, replace(FAULT, ends=DELIVERED_OR_UNKNOWN)) == ()


@pytest.mark.parametrize(
    ("books", "told"),
    [
        (replace(BOOKS, refused=["bill-bob: F PARAM_ILLEGAL"]), "1 sends were not taken: bill-bob: F PARAM_ILLEGAL"),
        (replace(BOOKS, tally=Tally(accepted=1)), "the ledger is not sound: see `tidings ledger check`"),
        (
            replace(BOOKS, audits=[ShardAudit(0, 1, (), (Misplaced("id", "app", "bill", LedgerFault.HOMELESS),))]),
            "the ledger is not sound: see `tidings ledger check`",
        ),
        (
            replace(BOOKS, tally=Tally(accepted=2, S=2)),
            "the ledger accepted 2 deliveries, its merchants were told of 1",
        ),
    ],
)
def test_books_that_do_not_agree_are_told(books: Books, told: str) -> None:
    assert problems(books=books) == (told,)


def test_what_the_fault_saw_itself_is_told() -> None:
    assert make_row(FAULT, SOUND, BOOKS, ["answered otherwise"]).problems == ("answered otherwise",)


def test_a_row_at_risk_may_lose_messages_and_nothing_else() -> None:
    at_risk = replace(FAULT, at_risk=True)
    lost = replace(SOUND, stories=[STORY, replace(STORY, key="bob", taken_at=0, state=None)])

    assert problems(lost, fault=at_risk) == ()
    assert problems(lost, replace(BOOKS, tally=Tally(accepted=1)), at_risk) == (
        "the ledger is not sound: see `tidings ledger check`",
    )


def test_a_fault_that_could_not_be_played_does_not_keep_the_rule() -> None:
    row = unplayed(FAULT, "no Valkey")

    assert (row.good, row.problems) == (False, ("could not be played: no Valkey",))


def test_a_row_has_a_cell_for_each_heading() -> None:
    row = as_json(make_row(replace(FAULT, at_risk=True), SOUND, BOOKS))

    assert dict(zip(HEADINGS, cells(row), strict=True)) == {
        "fault": "quiet (at risk)",
        "accepted": "1",
        "delivered": "1",
        "S": "1",
        "F": "0",
        "U": "0",
        "lost": "0",
        "duplicates": "0",
        "repeated calls (answer lost)": "0",
        "repeated calls (after a recorded outcome)": "0",
        "calls of a frozen process": "0",
        "longest stall, s": "0.3",
        "recovery, s": "0.4",
    }


def test_markdown_has_a_line_for_each_row_below_the_headings() -> None:
    head, rule, line = markdown([as_json(make_row(FAULT, replace(SOUND, window=None), BOOKS))])

    assert (head.count("|"), rule.count("|")) == (14, 14)
    assert line == "| quiet | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0.3 | - |"
