import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api_adapter.stack.process_groups import is_group_alive
from tests.stacks import wait_until

SLEEPS = "import time; print('here', flush=True); time.sleep(600)"
FIRST_THREAD_ENDS = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print("here", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell of zombies")


@contextmanager
def group(program: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a group of its own; nobody waits for it before the end."""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("number", [None, signal.SIGSTOP])
def test_a_group_is_alive_while_a_process_of_it_runs_or_is_stopped(number: signal.Signals | None) -> None:
    with group(SLEEPS) as process:
        if number is not None:
            process.send_signal(number)

        assert is_group_alive(process.pid)


def test_a_group_of_which_nobody_is_left_is_not_alive() -> None:
    with group(SLEEPS) as process:
        process.kill()
        process.wait()

        assert not is_group_alive(process.pid)


@on_linux
def test_a_group_of_nothing_but_zombies_is_not_alive() -> None:
    with group(SLEEPS) as process:
        process.kill()
        wait_until(lambda: state_of(process.pid) == "Z", "a zombie")

        assert not is_group_alive(process.pid)


@on_linux
def test_a_process_whose_first_thread_alone_has_ended_is_alive() -> None:
    with group(FIRST_THREAD_ENDS) as process:
        wait_until(lambda: state_of(process.pid) == "Z", "the end of the first thread")

        assert is_group_alive(process.pid)
