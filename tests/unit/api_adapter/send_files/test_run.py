"""A file of sends from its beginning, or from a checkpoint, to its end; and what if the process dies in between."""

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from api_adapter.send_files import run as run_module
from api_adapter.send_files.checkpoints import CheckpointError, CheckpointFile
from api_adapter.send_files.lines import CHUNK_LINES
from api_adapter.send_files.outputs import OWNER_ALONE, Output, OutputError
from api_adapter.send_files.run import Files, Run
from api_adapter.send_files.senders import LineResult
from tests.fakes.clock import FakeClock
from worker.contract.codes import ResultStatus

TAKEN = LineResult(ResultStatus.S, "SUCCESS", "success")
REFUSED = LineResult(ResultStatus.F, "PARAM_ILLEGAL", "$.appId: is required")
UNKNOWN = LineResult(ResultStatus.U, "UNKNOWN_EXCEPTION", "nobody knows")


class Stopped(Exception):  # noqa: N818 - a story, no error
    """The process dies here."""


class FakeSender:
    """Answers each send as the test has it, and knows how often each was sent."""

    def __init__(self, answer: Callable[[bytes], LineResult] = lambda _: TAKEN) -> None:
        self.answer = answer
        self.sent: list[list[bytes]] = []
        self.stops_in: int | None = None
        """After how many calls the process dies in the middle of one."""

    async def send(self, bodies: Sequence[bytes], answers: list[LineResult]) -> None:
        self.sent.append(list(bodies))
        if len(self.sent) == self.stops_in:
            raise Stopped
        for index, body in enumerate(bodies):
            answers[index] = self.answer(body)

    def numbers(self) -> list[int]:
        return [json.loads(body)["n"] for bodies in self.sent for body in bodies]


class Desk:
    """A directory with a file, and runs of it."""

    def __init__(self, directory: Path, lines: int) -> None:
        self.clock = FakeClock()
        self.source = directory / "notices.jsonl"
        self.source.write_text("".join(f'{{"n":{number}}}\n' for number in range(1, lines + 1)))
        self.checkpoint = CheckpointFile(directory / "notices.checkpoint.json")
        self.results = directory / "notices.results.jsonl"
        self.failed = directory / "notices.failed.jsonl"
        self.told: list[tuple[int, int]] = []

    def send(self, sender: FakeSender, *, resume: bool = False) -> Run:
        with self.source.open("rb") as lines:
            results, failed = Output(self.results), Output(self.failed, OWNER_ALONE)
            run = Run(Files(lines, results, failed, self.checkpoint), self.clock)
            try:
                found = self.checkpoint.read() if resume else None
                if found is None:
                    run.begin()
                else:
                    run.resume(found)
                asyncio.run(run.send(sender, self.advance))
            finally:
                results.close()
                failed.close()
        return run

    def advance(self, done: int, number: int) -> None:
        # Each chunk takes long, so a checkpoint follows each.
        self.clock.advance(2_000)
        self.told.append((done, number))

    def rows(self) -> list[tuple[int, str]]:
        return [(row["line"], row["resultStatus"]) for row in read(self.results)]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def odd(body: bytes) -> LineResult:
    return TAKEN if json.loads(body)["n"] % 2 else REFUSED


def test_every_line_has_a_row_and_what_was_refused_can_be_sent_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 4)

    run = desk.send(FakeSender(odd))

    assert desk.rows() == [(1, "S"), (2, "F"), (3, "S"), (4, "F")]
    refusal = {"resultCode": "PARAM_ILLEGAL", "resultMessage": "$.appId: is required"}
    assert read(desk.failed) == [
        {"n": 2, "refusal": {"line": 2, **refusal}},
        {"n": 4, "refusal": {"line": 4, **refusal}},
    ]
    assert desk.failed.stat().st_mode & 0o777 == OWNER_ALONE
    assert (run.totals.lines, run.totals.last_line) == (4, 4)
    assert desk.told == [(desk.source.stat().st_size, 4)]


def test_a_run_that_dies_anywhere_goes_on_without_losing_or_doubling_a_row(tmp_path: Path) -> None:
    lines = 3 * CHUNK_LINES + 5
    for dies_in in (1, 2, 3, 4):
        directory = tmp_path / str(dies_in)
        directory.mkdir()
        desk = Desk(directory, lines)
        dying, going_on = FakeSender(odd), FakeSender(odd)
        dying.stops_in = dies_in

        with pytest.raises(Stopped):
            desk.send(dying)
        run = desk.send(going_on, resume=True)

        assert going_on.numbers() == list(range((dies_in - 1) * CHUNK_LINES + 1, lines + 1))
        assert [number for number, _ in desk.rows()] == list(range(1, lines + 1))
        assert [row["n"] for row in read(desk.failed)] == list(range(2, lines + 1, 2))
        assert run.totals.statuses == {ResultStatus.S: lines // 2 + 1, ResultStatus.F: lines // 2}


def test_a_kill_between_rows_and_checkpoint_costs_a_repeat_and_no_row(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2 * CHUNK_LINES)
    dying = FakeSender(odd)
    dying.stops_in = 2
    with pytest.raises(Stopped):
        desk.send(dying)
    before = shutil.copy(desk.checkpoint.path, tmp_path / "older")
    desk.send(FakeSender(odd), resume=True)
    # The rows of the second chunk were written, its checkpoint was not.
    shutil.copy(before, desk.checkpoint.path)

    desk.send(FakeSender(odd), resume=True)

    assert [number for number, _ in desk.rows()] == list(range(1, 2 * CHUNK_LINES + 1))
    assert [row["n"] for row in read(desk.failed)] == list(range(2, 2 * CHUNK_LINES + 1, 2))


def test_a_whole_run_leaves_nothing_to_resume_and_tells_what_became_of_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    first = desk.send(FakeSender(odd))
    again = FakeSender()

    run = desk.send(again, resume=True)

    assert again.sent == []
    assert run.totals.codes == first.totals.codes
    assert run.totals.examples == first.totals.examples
    assert len(desk.rows()) == 3


def test_without_resume_everything_begins_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    desk.send(FakeSender(odd))

    desk.send(FakeSender())

    assert desk.rows() == [(1, "S"), (2, "S"), (3, "S")]
    assert read(desk.failed) == []


def test_a_run_that_begins_anew_and_dies_at_once_leaves_no_older_checkpoint(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    desk.send(FakeSender())
    dying = FakeSender()
    dying.stops_in = 1

    with pytest.raises(Stopped):
        desk.send(dying)

    assert desk.checkpoint.read() is None


def test_what_is_appended_after_a_run_is_sent_by_the_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    desk.send(FakeSender())
    with desk.source.open("a") as file:
        file.write('{"n":3}\n')
    sender = FakeSender()

    desk.send(sender, resume=True)

    assert sender.numbers() == [3]
    assert desk.rows()[-1] == (3, "S")


@pytest.mark.parametrize("changed", ['{"n":9}\n{"n":2}\n', '{"n":1}\n', ""])
def test_a_file_that_changed_is_not_gone_on_with(tmp_path: Path, changed: str) -> None:
    desk = Desk(tmp_path, 2)
    desk.send(FakeSender(odd))
    desk.source.write_text(changed)

    with pytest.raises(CheckpointError, match="what was sent of it has changed"):
        desk.send(FakeSender(), resume=True)

    assert (len(desk.rows()), len(read(desk.failed))) == (2, 1)


def test_results_that_somebody_took_away_are_not_gone_on_with(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2)
    desk.send(FakeSender())
    desk.results.unlink()

    with pytest.raises(OutputError, match="has less in it than it had"):
        desk.send(FakeSender(), resume=True)


@pytest.mark.parametrize("content", ["", "{}", '{"version": 2}', "\x00" * 40])
def test_a_checkpoint_that_is_none_is_told(tmp_path: Path, content: str) -> None:
    desk = Desk(tmp_path, 1)
    desk.checkpoint.path.write_text(content)

    with pytest.raises(CheckpointError, match="is no checkpoint of this version; run without --resume"):
        desk.send(FakeSender(), resume=True)


def test_what_has_no_answer_is_asked_for_again_at_the_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    answers = iter([TAKEN, UNKNOWN, TAKEN, REFUSED])

    run = desk.send(FakeSender(lambda _: next(answers)))

    assert desk.rows() == [(1, "S"), (2, "U"), (3, "S"), (2, "F")]
    assert [row["n"] for row in read(desk.failed)] == [2]
    assert run.totals.unknown == []
    assert run.totals.statuses == {ResultStatus.S: 2, ResultStatus.F: 1, ResultStatus.U: 0}


def test_what_stays_unknown_is_what_a_later_run_sends(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 3)
    run = desk.send(FakeSender(lambda body: UNKNOWN if b"2" in body else TAKEN))
    assert (run.totals.statuses[ResultStatus.U], run.totals.lines) == (1, 3)
    sender = FakeSender()

    run = desk.send(sender, resume=True)

    assert sender.numbers() == [2]
    assert run.totals.statuses == {ResultStatus.S: 3, ResultStatus.U: 0}
    assert desk.rows()[-1] == (2, "S")


def test_a_chunk_without_any_answer_ends_the_run_and_is_sent_again_by_the_next(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 2 * CHUNK_LINES + 1)
    calls = iter([TAKEN] * CHUNK_LINES + [UNKNOWN] * CHUNK_LINES)
    sender = FakeSender(lambda _: next(calls))

    run = desk.send(sender)

    assert len(sender.sent) == 2
    assert run.totals.statuses == {ResultStatus.S: CHUNK_LINES, ResultStatus.U: CHUNK_LINES}
    going_on = FakeSender()
    desk.send(going_on, resume=True)
    assert going_on.numbers() == list(range(CHUNK_LINES + 1, 2 * CHUNK_LINES + 2))
    assert desk.rows() == [(number, "S") for number in range(1, 2 * CHUNK_LINES + 2)]


def test_too_many_without_an_answer_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "MOST_UNKNOWN", 3)
    desk = Desk(tmp_path, 2 * CHUNK_LINES)
    sender = FakeSender(lambda body: UNKNOWN if json.loads(body)["n"] in {5, 6, 7} else TAKEN)

    desk.send(sender)

    assert len(sender.sent) == 1


def test_two_runs_of_one_file_do_not_write_over_each_other(tmp_path: Path) -> None:
    path = tmp_path / "notices.failed.jsonl"
    first, second = Output(path, OWNER_ALONE), Output(path, OWNER_ALONE)
    first.lock()

    with pytest.raises(OutputError, match="another `tidings send` writes it"):
        second.lock()

    first.close()
    second.lock()
    second.close()


def test_a_failed_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "notices.failed.jsonl"
    path.write_text("")
    path.chmod(0o666)

    Output(path, OWNER_ALONE).close()

    assert path.stat().st_mode & 0o777 == OWNER_ALONE
