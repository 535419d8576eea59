"""`tidings demo` as a whole, small: it must account for every notice, and leave nothing behind."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.stacks import post, running, tidings

FEW = "60"
STARTED = "sent "
"""In the first line of progress."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_every_notice_is_accounted_for_and_the_stack_stays_up_when_asked_to(data_dir: Path) -> None:
    with tidings(data_dir, "demo", "--messages", FEW, "--json", "--keep") as command:
        command.until_printed("Up. Ctrl-C stops it.")
        found = json.loads(command.stdout)
        family = command.family()
        look_up = post(
            f"{command.api}/v2/miniprogram/message/inquiry", {"appId": "demo-app", "requestId": "demo-00001"}, "demo"
        )
        assert command.stopped_by(signal.SIGINT) == 0

    assert (found["ok"], found["problems"], found["messages"]) == (True, [], 60)
    # Sixteen faults: every seventh user opted out of PUSH, one notice each ends F (3 faults) or U (2 faults).
    assert found["channels"]["INBOX"] == {"accepted": 60, "S": 55, "F": 3, "U": 2, "open": 0, "forgotten": 0}
    assert found["channels"]["PUSH"]["accepted"] == 51
    assert found["conservation"]["balanced"] is True
    assert (found["simulator"]["deliveredTwice"], found["sentTwice"]["changedNothing"]) == (0, True)
    assert sorted(line["dead"] for line in found["deadLetters"]) == ["TRIES", "UNANSWERED", "UNANSWERED"]
    assert [len(found["slowest"]), found["slowest"][0]["status"]] == [5, "U"]
    assert all(rate > 0 for rate in found["perSecond"].values())
    assert look_up["status"] == "S"
    assert running(family) == set()
    [kept] = (data_dir / "demo").iterdir()
    assert f"Data and logs are kept in {kept}" in command.stderr.replace("\n", "")


def test_it_ends_by_itself_with_the_result_and_removes_its_data(data_dir: Path) -> None:
    with tidings(data_dir, "demo", "--messages", FEW) as command:
        command.until_printed(STARTED)
        family = command.family()
        assert command.ended() == 0

    lines = command.stdout.splitlines()
    assert lines[-2:] == [
        "Every one of the 60 notices is accounted for: looked up, S, or F or",
        "U exactly where its gateway made it so, and none was delivered twice.",
    ]
    assert "accepted 111 = S 102 + F 5 + U 4 + open 0 + forgotten 0" in lines
    assert running(family) == set()
    assert list(data_dir.iterdir()) == []


def test_an_interrupt_in_the_middle_stops_everything_and_removes_its_data(data_dir: Path) -> None:
    with tidings(data_dir, "demo", "--messages", "20000") as command:
        command.until_printed(STARTED)
        family = command.family()
        assert command.stopped_by(signal.SIGINT) == 130

    assert command.stdout.endswith("Interrupted; everything is stopped.\n")
    assert running(family) == set()
    assert list(data_dir.iterdir()) == []


def test_a_part_that_dies_ends_the_demo_and_its_logs_are_kept(data_dir: Path) -> None:
    with tidings(data_dir, "demo", "--messages", "20000") as command:
        command.until_printed(STARTED)
        family = command.family()
        os.kill(command.pid_of("api"), signal.SIGKILL)
        assert command.ended() == 2

    assert "tidings: the api ended by itself (killed by SIGKILL); the end of" in command.stderr
    assert running(family) == set()
    assert sorted(log.name for log in data_dir.glob("demo/run-*/logs/*")) == ["api.log", "gateway.log", "worker.log"]
