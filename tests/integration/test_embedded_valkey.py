import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from worker.adapters.redis import valkey_server
from worker.adapters.redis.embedded import EmbeddedValkey
from worker.adapters.redis.file_locks import is_held
from worker.adapters.redis.valkey_server import EmbeddedValkeyError, valkey_binary

ROOT = Path(__file__).parents[2]

# Enters the block, says so, and leaves it when it is told to.
USER = """
import os, sys
from pathlib import Path
from worker.adapters.redis.embedded import EmbeddedValkey
with EmbeddedValkey(Path(sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.readline()
"""

# Forks a child that leaves the block first; then says whether the server still answers.
FORKING_USER = """
import os, sys, redis
from pathlib import Path
from worker.adapters.redis.embedded import EmbeddedValkey
with EmbeddedValkey(Path(sys.argv[1])) as server:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        print(redis.Redis.from_url(server.url).ping(), flush=True)
"""

# Leaves the block while a forked child goes on.
OUTLIVED_USER = """
import os, sys, time
from pathlib import Path
from worker.adapters.redis.embedded import EmbeddedValkey
with EmbeddedValkey(Path(sys.argv[1])) as server:
    child = os.fork()
    if not child:
        os.closerange(1, 3)
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
"""


@dataclass
class OtherProcess:
    """Another process that needs the server of the same directory."""

    process: subprocess.Popen[str]

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate("\n", timeout=20)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


def run(script: str, data_dir: Path) -> str:
    command = [sys.executable, "-c", script, str(data_dir)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


@contextmanager
def other_process(data_dir: Path) -> Iterator[OtherProcess]:
    command = [sys.executable, "-c", USER, str(data_dir)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield OtherProcess(process)
        finally:
            process.kill()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory; a server that a failed test left behind is found and stopped."""
    yield tmp_path / "data"
    if (tmp_path / "data" / "valkey").is_dir() and is_held(tmp_path / "data" / "valkey" / "server.lock"):
        with EmbeddedValkey(tmp_path / "data"):
            pass


def server_pid(data_dir: Path) -> int:
    pid: int = json.loads((data_dir / "valkey.json").read_text())["pid"]
    return pid


def answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def kill_server(data_dir: Path) -> None:
    os.kill(server_pid(data_dir), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_held(data_dir / "valkey" / "server.lock"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_ledger_and_the_broker_have_a_database_each(data_dir: Path) -> None:
    with (
        EmbeddedValkey(data_dir) as server,
        redis.Redis.from_url(server.url) as ledger,
        redis.Redis.from_url(server.broker_url) as broker,
    ):
        ledger.set("key", "ledger")

        assert broker.get("key") is None


def test_a_taken_write_is_on_disk_and_never_evicted(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        promised = client.config_get("appendonly", "appendfsync", "save", "maxmemory-policy", "bind")

    assert promised == {
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


def test_nobody_gets_in_without_the_password(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server:
        without_password = re.sub(r"//[^@]+@", "//", server.url)

        with redis.Redis.from_url(without_password) as client, pytest.raises(redis.AuthenticationError):
            client.ping()


def test_the_password_is_readable_by_the_owner_alone(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server:
        password = json.loads((data_dir / "valkey.json").read_text())["password"]
        command_line = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(server_pid(data_dir))],  # noqa: S607 - wherever the system keeps it
            check=True,
            capture_output=True,
            text=True,
        ).stdout

        assert password in server.url
        assert "valkey-server" in command_line
        assert password not in command_line
        assert (data_dir / "valkey.json").stat().st_mode & 0o077 == 0
        assert (data_dir / "valkey").stat().st_mode & 0o077 == 0


def test_two_processes_share_one_server(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server, other_process(data_dir) as other:
        assert other.url() == server.url


def test_the_server_stays_until_the_last_one_leaves(data_dir: Path) -> None:
    with other_process(data_dir) as starter:
        url = starter.url()
        with EmbeddedValkey(data_dir):
            starter.leave()
            served_after_the_starter_left = answers(url)

    assert served_after_the_starter_left
    assert not answers(url)
    assert not (data_dir / "valkey.json").exists()


def test_two_users_in_one_process_count_as_two(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as outer:
        with EmbeddedValkey(data_dir):
            pass

        assert answers(outer.url)


def test_four_processes_starting_at_once_get_one_server(data_dir: Path) -> None:
    with (
        other_process(data_dir) as one,
        other_process(data_dir) as two,
        other_process(data_dir) as three,
        other_process(data_dir) as four,
    ):
        urls = {process.url() for process in (one, two, three, four)}

        assert len(urls) == 1
        assert answers(urls.pop())


def test_a_server_whose_starter_was_killed_goes_on(data_dir: Path) -> None:
    with other_process(data_dir) as starter:
        url = starter.url()
        pid = server_pid(data_dir)
        starter.kill()

    assert answers(url)
    with EmbeddedValkey(data_dir) as server:
        assert server.url == url
        assert server_pid(data_dir) == pid
    assert not answers(url)


def test_data_is_kept_between_runs(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server, redis.Redis.from_url(server.url) as client:
        client.set("notice", "kept")

    with EmbeddedValkey(data_dir) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("notice") == b"kept"


def test_what_was_written_survives_the_servers_own_kill(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir) as server, redis.Redis.from_url(server.url) as client:
        client.set("notice", "kept")
        kill_server(data_dir)

    with EmbeddedValkey(data_dir) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("notice") == b"kept"


@pytest.mark.parametrize(
    "leftover",
    ["", "not json", json.dumps({"port": 1, "password": "x", "pid": os.getpid()})],
    ids=["empty", "garbage", "pid_of_another_process"],
)
def test_an_address_file_left_by_a_dead_server_is_replaced(data_dir: Path, leftover: str) -> None:
    data_dir.mkdir()
    (data_dir / "valkey.json").write_text(leftover)

    with EmbeddedValkey(data_dir) as server:
        assert answers(server.url)


def test_a_running_server_with_a_lost_address_file_is_never_doubled(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir):
        address = (data_dir / "valkey.json").read_text()
        (data_dir / "valkey.json").unlink()
        try:
            with pytest.raises(EmbeddedValkeyError, match=r"Stop that server \(its process id is in .*valkey\.pid\)"):
                EmbeddedValkey(data_dir).__enter__()
        finally:
            (data_dir / "valkey.json").write_text(address)


def test_a_port_taken_in_the_last_moment_costs_one_more_try(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [taken.getsockname()[1]]
        free_port = valkey_server._free_port
        monkeypatch.setattr(valkey_server, "_free_port", lambda: ports.pop() if ports else free_port())

        with EmbeddedValkey(data_dir) as server:
            assert answers(server.url)
            assert not ports


def test_a_server_that_loads_its_data_gets_the_time_it_needs(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedValkey(data_dir) as server, redis.Redis.from_url(server.url) as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(20_000):
            pipeline.set(f"notice:{number}", "kept")
        pipeline.execute()
    # The server looks at its connections every 1,024 commands that it loads.
    monkeypatch.setattr(valkey_server, "_CONFIGURATION", valkey_server._CONFIGURATION + "key-load-delay 50\n")

    with EmbeddedValkey(data_dir, patience=0.6) as server, redis.Redis.from_url(server.url) as client:
        assert client.dbsize() == 20_000


def test_a_server_that_dies_while_it_is_found_is_started_anew(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir):
        pid = server_pid(data_dir)
        os.kill(pid, signal.SIGSTOP)
        killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
        killer.start()
        with EmbeddedValkey(data_dir) as server:
            killer.join()

            assert answers(server.url)

    assert not (data_dir / "valkey.json").exists()


@pytest.mark.parametrize(
    ("script", "mode", "reason"),
    [("#!/bin/sh\necho no room >&2\nexit 1\n", 0o700, "refused to start: no room"), ("", 0o600, "can't be run")],
    ids=["refuses", "not_executable"],
)
def test_a_binary_that_does_not_run_is_told(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, mode: int, reason: str
) -> None:
    binary = tmp_path / "valkey-server"
    binary.write_text(script)
    binary.chmod(mode)
    monkeypatch.setattr(valkey_server, "valkey_binary", lambda: binary)

    with pytest.raises(EmbeddedValkeyError, match=reason):
        EmbeddedValkey(data_dir).__enter__()


def test_a_forked_child_that_leaves_does_not_stop_the_server(data_dir: Path) -> None:
    assert run(FORKING_USER, data_dir) == "True"


def test_a_forked_child_that_outlives_its_parent_locks_nobody_out(data_dir: Path) -> None:
    child = int(run(OUTLIVED_USER, data_dir))
    try:
        assert not (data_dir / "valkey.json").exists()
        with EmbeddedValkey(data_dir) as server:
            assert answers(server.url)
        assert not (data_dir / "valkey.json").exists()
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_log_of_broken_data_is_named_in_the_error(data_dir: Path) -> None:
    manifest = data_dir / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("broken\n")

    with pytest.raises(EmbeddedValkeyError, match=r"ended at once.*valkey/valkey\.log"):
        EmbeddedValkey(data_dir).__enter__()


def test_a_server_that_hangs_is_named_with_its_process(data_dir: Path) -> None:
    with EmbeddedValkey(data_dir):
        pid = server_pid(data_dir)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(EmbeddedValkeyError, match=rf"process {pid}\) did not answer within 0\.2 s"):
                EmbeddedValkey(data_dir, patience=0.2).__enter__()
        finally:
            os.kill(pid, signal.SIGCONT)


def test_a_server_that_does_not_stop_is_named_with_its_process(data_dir: Path) -> None:
    server = EmbeddedValkey(data_dir, patience=1)
    server.__enter__()
    pid = server_pid(data_dir)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EmbeddedValkeyError, match=rf"process {pid}\) did not stop within 1 s"):
            server.__exit__(None, None, None)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_data_directory_that_is_a_file_is_refused(data_dir: Path) -> None:
    data_dir.write_text("")

    with pytest.raises(EmbeddedValkeyError, match=r"can't be used \(Not a directory\)"):
        EmbeddedValkey(data_dir).__enter__()


def test_a_platform_without_the_wheel_is_told_to_bring_its_own_server() -> None:
    with pytest.raises(EmbeddedValkeyError, match="set TIDINGS_REDIS_URL"):
        valkey_binary("no_such_package")
