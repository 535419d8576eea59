"""`tidings demo` as a whole, small: it must account for every notice, and leave nothing behind."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.stacks import running, tidings

FEW = "60"
STARTED = "sent "
"""In the first line of progress."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_every_notice_is_accounted_for_and_nothing_is_left(data_dir: Path) -> None:
    with tidings(data_dir, "demo", "--messages", FEW, "--json") as command:
        command.until_printed(STARTED)
        family = command.family()
        assert command.ended() == 0

    found = json.loads(command.stdout)
    assert (found["ok"], found["problems"], found["messages"]) == (True, [], 60)
    # Of each fault one: three end F, two end U; every seventh user opted out of PUSH.
    assert found["channels"]["INBOX"] == {"accepted": 60, "S": 55, "F": 3, "U": 2, "open": 0, "forgotten": 0}
    assert found["channels"]["PUSH"] == {"accepted": 51, "S": 47, "F": 2, "U": 2, "open": 0, "forgotten": 0}
    assert found["conservation"]["balanced"] is True
    assert (found["simulator"]["deliveredTwice"], found["sentTwice"]["changedNothing"]) == (0, True)
    assert sorted(line["dead"] for line in found["deadLetters"]) == ["TRIES", "UNANSWERED", "UNANSWERED"]
    assert [len(found["slowest"]), found["slowest"][0]["status"]] == [5, "U"]
    assert all(rate > 0 for rate in found["perSecond"].values())
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
