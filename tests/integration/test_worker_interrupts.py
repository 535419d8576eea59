"""A worker in a terminal: how it ends after one Ctrl-C, and after a second."""

import os
import signal
from pathlib import Path

import orjson

from tests.command_line import CommandLine
from tests.stacks import Command, children, running, tidings

READY, ASKED_AGAIN = " ready.", "again will terminate all running tasks"
ONE_CHILD = ("worker", "--children", "1")
SETTINGS = {"log_level": "info", "drain_timeout": 60_000, "watchdog": 0}


def test_a_worker_that_drained_after_an_interrupt_ends_with_0(redis_url: str, broker_url: str, tmp_path: Path) -> None:
    with tidings(tmp_path / "data", *ONE_CHILD, redis_url=redis_url, broker_url=broker_url, **SETTINGS) as worker:
        worker.until_printed(READY)
        family = worker.family()

        assert worker.stopped_by(signal.SIGINT) == 0

    assert '"event": "drained"' in worker.stderr
    assert running(family) == set()


def test_a_worker_whose_settings_do_not_fit_the_ledger_ends_with_2_and_one_line(
    redis_url: str, broker_url: str, tmp_path: Path
) -> None:
    command = CommandLine(redis_url)
    command.lines("merchant", "show")  # opens the ledger
    arguments = ("worker", "--children", "1", "--pool", "solo")
    other: dict[str, object] = {"redis_url": redis_url, "broker_url": broker_url, "shards": 8}

    worker = Command(tmp_path, arguments, other)

    assert worker.ended() == 2
    (line,) = [line for line in worker.stderr.splitlines() if line.startswith("tidings: ")]
    assert "set TIDINGS_SHARDS=16 or use another Redis" in line
    assert "Traceback" not in worker.stderr


def test_a_worker_of_a_broker_that_there_is_not_ends_with_2_and_one_line(redis_url: str, tmp_path: Path) -> None:
    worker = Command(tmp_path, ("worker",), {"redis_url": redis_url, "broker_url": "nonsense://broker.test"})

    assert worker.ended() == 2
    assert worker.stderr.startswith("tidings: TIDINGS_BROKER_URL: no broker can be reached by this nonsense:// URL; ")
    assert worker.stderr.count("\n") == 1


def test_a_worker_writes_nothing_but_log_lines(redis_url: str, broker_url: str, tmp_path: Path) -> None:
    with tidings(tmp_path / "data", *ONE_CHILD, redis_url=redis_url, broker_url=broker_url, **SETTINGS) as worker:
        worker.until_printed(READY)
        worker.stopped_by(signal.SIGINT)

    lines = [orjson.loads(line) for line in (worker.stdout + worker.stderr).splitlines()]
    assert all({"event", "level", "logger", "pid", "timestamp"} <= line.keys() for line in lines)
    (start,) = (line for line in lines if line["event"] == "worker_starts")
    assert start["children"] == 1
    assert "worker: Warm shutdown (MainProcess)" in [line["event"] for line in lines]


def test_a_worker_for_people_shows_the_banner(redis_url: str, broker_url: str, tmp_path: Path) -> None:
    settings = {"redis_url": redis_url, "broker_url": broker_url, "log_format": "console", **SETTINGS}
    with tidings(tmp_path / "data", *ONE_CHILD, **settings) as worker:
        worker.until_printed(READY)
        worker.stopped_by(signal.SIGINT)

    assert "[queues]" in worker.stdout + worker.stderr


def test_a_second_interrupt_while_it_drains_ends_it_with_1(redis_url: str, broker_url: str, tmp_path: Path) -> None:
    with tidings(tmp_path / "data", *ONE_CHILD, redis_url=redis_url, broker_url=broker_url, **SETTINGS) as worker:
        worker.until_printed(READY)
        family = worker.family()
        (child,) = children(worker.process.pid)
        os.kill(child, signal.SIGSTOP)

        worker.interrupt(signal.SIGINT)
        worker.until_printed("Warm shutdown")
        worker.interrupt(signal.SIGINT)
        worker.until_printed(ASKED_AGAIN)
        assert worker.process.poll() is None
        os.kill(child, signal.SIGCONT)

        assert worker.ended() == 1

    assert running(family) == set()
