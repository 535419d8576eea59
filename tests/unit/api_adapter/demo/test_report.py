import io
from dataclasses import replace
from typing import Any

import orjson
from rich.console import Console

from api_adapter.demo.load import Sent
from api_adapter.demo.report import Report, as_json, make_report, show
from api_adapter.demo.scenario import Via
from tests.unit.api_adapter.demo.evidence import NOON, PLANNED, TAKEN, evidence, outcome
from worker.contract.codes import ResultStatus
from worker.contract.messages import DeliveryState

SILENT = next(notice for notice in PLANNED if notice.ends is ResultStatus.U)


def sent() -> Sent:
    return Sent(
        replies={notice.request_id: TAKEN for notice in PLANNED},
        taken={Via.HTTP: 25, Via.BATCH: 25},
        seconds={Via.HTTP: 0.5, Via.BATCH: 0.1},
    )


def report(**replaced: Any) -> Report:  # noqa: ANN401 - parts of the evidence
    return make_report(evidence(**replaced), sent())


def screen(shown: Report, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    show(shown, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def late(index: int, milliseconds: int) -> Any:  # noqa: ANN401 - an outcome
    whole = outcome(PLANNED[index])
    return replace(whole, deliveries=tuple(replace(one, at=one.at and NOON + milliseconds) for one in whole.deliveries))


def test_the_slowest_are_measured_from_accepted_to_settled() -> None:
    outcomes = {notice.request_id: late(index, 1_000 * (index % 10)) for index, notice in enumerate(PLANNED)}

    slowest = report(outcomes=outcomes).slowest

    assert [line.seconds for line in slowest] == [9.0] * 5
    assert {line.request_id for line in slowest} == {PLANNED[index].request_id for index in (9, 19, 29, 39, 49)}
    assert {line.fault for line in slowest} == {PLANNED[index].fault for index in (9, 19, 29, 39, 49)}


def test_what_is_still_open_has_no_time_and_is_no_slowest() -> None:
    waiting = outcome(PLANNED[0])
    waiting = replace(waiting, deliveries=tuple(replace(one, state=DeliveryState.OPEN) for one in waiting.deliveries))

    made = report(outcomes={PLANNED[0].request_id: waiting})

    assert made.slowest == []
    assert not made.is_good
    assert "The five slowest, from accepted to settled: none" in screen(made)


def test_dead_letters_have_their_cause_and_fault() -> None:
    dead = {line.request_id: line for line in report().dead}

    assert dead[SILENT.request_id].dead == "UNANSWERED"
    assert dead[SILENT.request_id].code == "UNANSWERED"
    assert dead[SILENT.request_id].fault == SILENT.fault


def test_deliveries_a_second_leave_the_last_tenth_out() -> None:
    healthy = [notice for notice in PLANNED if notice.ends is ResultStatus.S]
    outcomes = {notice.request_id: late(PLANNED.index(notice), 2_000) for notice in healthy}
    outcomes[healthy[-1].request_id] = late(PLANNED.index(healthy[-1]), 60_000)
    deliveries = sum(len(notice.channels) for notice in healthy)

    rates = report(outcomes=outcomes).rates

    assert (rates.seconds, rates.delivered) == (2.0, int(deliveries * 0.9) / 2)
    assert (rates.accepted_over_http, rates.accepted_by_batch) == (50, 250)


def test_nothing_delivered_is_no_rate() -> None:
    rates = make_report(evidence(outcomes={}), Sent()).rates

    assert (rates.seconds, rates.delivered, rates.accepted_over_http) == (0, 0, 0)


def test_the_screen_fits_into_80_columns_and_ends_with_the_verdict() -> None:
    lines = screen(report())

    assert max(map(len, lines)) <= 80
    # Nothing was broken into two lines: only the second line of a fact begins with blanks.
    assert [line.split()[1] for line in lines if line.startswith("  ")] == ["by", "times"]
    assert lines[-2].startswith(f"Every one of the {len(PLANNED)} notices is accounted for")


def test_the_conservation_line_shows_its_numbers() -> None:
    assert "accepted 92 = S 83 + F 5 + U 4 + open 0 + forgotten 0" in screen(report())


def test_problems_are_listed_and_the_rest_is_counted() -> None:
    lines = screen(report(statuses={}), width=200)

    assert lines[-22] == f"{len(PLANNED)} problems:"
    assert lines[-21].startswith(f"  {PLANNED[0].request_id} (fault: ")
    assert lines[-1] == f"... and {len(PLANNED) - 20} more problems"


def test_many_dead_letters_are_cut_on_the_screen_only() -> None:
    outcomes = {notice.request_id: outcome(notice, dead_cause="TRIES") for notice in PLANNED}

    made = report(outcomes=outcomes)

    assert "... and 40 more dead letters" in screen(made)
    assert len(as_json(made)["deadLetters"]) == len(PLANNED)


def test_the_json_is_json_and_spells_names_as_the_api() -> None:
    found = orjson.loads(orjson.dumps(as_json(report())))

    assert (found["ok"], found["problems"], found["messages"]) == (True, [], len(PLANNED))
    assert found["conservation"]["balanced"] is True
    assert found["slowest"][0].keys() == {"requestId", "status", "code", "dead", "seconds", "tries", "fault"}
    assert found["perSecond"].keys() == {"acceptedOverHttp", "acceptedByBatch", "delivered", "seconds"}
    assert found["sentTwice"]["changedNothing"] is True
    assert found["simulator"]["repeatedCalls"] == 7
