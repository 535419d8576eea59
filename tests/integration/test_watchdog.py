"""A worker that lives and does not work, on a real broker: what its watchdog does about it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.stacks import PATIENCE, ROOT, children, running, wait_until
from worker.adapters.celery.app import HintSender, publishing_app
from worker.adapters.celery.brokers import KEY_PREFIX
from worker.contract.exits import RECYCLED
from worker.contract.messages import Hint, Lane


@dataclass(frozen=True, slots=True)
class DeafWorker:
    """A running worker that a signal turns deaf; see `api_adapter.drill.deafness`."""

    process: "subprocess.Popen[bytes]"
    log: Path
    broker_url: str

    def turn_deaf(self) -> None:
        self.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: "deaf_from_now_on" in self.log.read_text(), "the worker is deaf")

    def hint(self, number: int = 1) -> None:
        """Put hints for a message that nobody knows on the broker."""
        app = publishing_app(self.broker_url)
        for _ in range(number):
            HintSender(app)([Hint(Lane.BULK, 0, ("0" * 32,))])
        app.close()

    def waiting(self) -> int:
        with redis.Redis.from_url(self.broker_url) as client:
            return int(str(client.llen(f"{KEY_PREFIX}bulk")))

    def told(self, event: str) -> int:
        return self.log.read_text().count(f'"event": "{event}"')


@contextmanager
def deaf_worker(
    directory: Path, redis_url: str, broker_url: str, deaf: str = "", **changed: str
) -> Iterator[DeafWorker]:
    settings = {"redis_url": redis_url, "broker_url": broker_url, "watchdog": "2000", "data_dir": str(directory)}
    settings |= changed
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TIDINGS_")}
    environ |= {f"TIDINGS_{name.upper()}": text for name, text in settings.items()}
    command = [sys.executable, "-m", "celery", "-A", "api_adapter.drill.deafness", "worker", "-c2", "-l", "info"]
    log = directory / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environ, "TIDINGS_SABOTAGE_DEAF": deaf, "PYTHONPATH": str(ROOT)},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "ready." in log.read_text(), "the worker consumes")
        yield DeafWorker(process, log, broker_url)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_worker_that_takes_no_hints_any_more_reconnects_and_takes_them(
    tmp_path: Path, redis_url: str, broker_url: str
) -> None:
    with deaf_worker(tmp_path, redis_url, broker_url) as worker:
        worker.turn_deaf()
        worker.hint(5)
        assert worker.waiting() > 0

        wait_until(lambda: worker.waiting() == 0, "the hints are taken")

        assert worker.told("watchdog_reconnects") == 1
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(4)  # long enough for a watchdog that would still be at it
        assert worker.process.poll() is None


def test_a_worker_that_reconnecting_does_not_help_ends_with_a_code_of_its_own(
    tmp_path: Path, redis_url: str, broker_url: str
) -> None:
    with deaf_worker(tmp_path, redis_url, broker_url, deaf="for good") as worker:
        worker.turn_deaf()
        worker.hint(5)

        assert worker.process.wait(PATIENCE) == RECYCLED

        assert (worker.told("watchdog_reconnects"), worker.told("watchdog_ends_worker")) == (1, 1)
        assert worker.told("drained") == 2  # it has two children
        assert worker.waiting() > 0


def test_a_child_whose_loop_hangs_is_replaced(tmp_path: Path, redis_url: str, broker_url: str) -> None:
    with deaf_worker(tmp_path, redis_url, broker_url) as worker:
        before = children(worker.process.pid)
        hanging = min(before)

        os.kill(hanging, signal.SIGSTOP)

        wait_until(lambda: hanging not in running(before), "the child is killed")
        wait_until(lambda: len(children(worker.process.pid)) == len(before), "another one in its place")
        assert worker.told("watchdog_kills_child") == 1
        assert children(worker.process.pid) & before == before - {hanging}


def test_a_worker_before_whom_nothing_waits_is_left_alone(tmp_path: Path, redis_url: str, broker_url: str) -> None:
    with deaf_worker(tmp_path, redis_url, broker_url) as worker:
        worker.turn_deaf()
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(5)

        assert worker.told("watchdog_reconnects") == 0
        assert worker.process.poll() is None


def test_a_worker_that_is_stopped_while_a_child_hangs_ends_all_the_same(
    tmp_path: Path, redis_url: str, broker_url: str
) -> None:
    with deaf_worker(tmp_path, redis_url, broker_url, watchdog="0", drain_timeout="500") as worker:
        everybody = {worker.process.pid, *children(worker.process.pid)}
        os.kill(min(everybody - {worker.process.pid}), signal.SIGSTOP)

        worker.process.terminate()

        assert worker.process.wait(PATIENCE) == 0
        assert worker.told("child_killed_at_stop") > 0
        assert running(everybody) == set()
