"""`tidings dev` and `tidings demo` inside this process, where each line that runs is seen."""

import io
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import typer

from api_adapter.cli.demo import SHORTER, demo
from api_adapter.cli.dev import dev
from tests.stacks import ROOT, post

FEW = 50
_GLANCE = 0.05


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
        monkeypatch.delenv(name)
    found = tmp_path / "data"
    monkeypatch.setenv("TIDINGS_DATA_DIR", str(found))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "80")
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner on gateways that never answer."""
    monkeypatch.setitem(SHORTER, "call_timeout", 600)
    monkeypatch.setitem(SHORTER, "backoff_cap", 300)


@contextmanager
def interrupted_when(condition: Callable[[], bool]) -> Iterator[None]:
    """Send this process a Ctrl-C as soon as the condition holds, unless the block ended before."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_GLANCE):
            if condition():
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def left(command: Callable[[], None]) -> tuple[int, str, str]:
    """Run a command until it leaves; return its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(typer.Exit) as leaving:
        command()
    return leaving.value.exit_code, out.getvalue(), err.getvalue()


def interrupted(command: Callable[[], None], at: str) -> tuple[int, str]:
    """Run a command and interrupt it as soon as it printed a text; return its exit code and what it printed."""
    out = io.StringIO()
    with redirect_stdout(out), interrupted_when(lambda: at in out.getvalue()), pytest.raises(typer.Exit) as leaving:
        command()
    return leaving.value.exit_code, out.getvalue()


def test_dev_says_where_everything_is_and_keeps_the_data(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_GATEWAY_PORT", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("TIDINGS_API_PORT", str(port))

        code, out = interrupted(dev, at="Up. Ctrl-C stops it")

    assert code == 0
    assert f"Port {port} (TIDINGS_API_PORT) is taken: using" in out
    assert f"Logs               {data_dir}/logs/*.log" in out
    assert "token-yuki      reads Japanese, opted out of PUSH" in out
    assert out.count("curl -s http://127.0.0.1:") == 2
    assert out.endswith(f"Stopped. The data is kept in {data_dir}.\n")
    assert sorted(log.name for log in (data_dir / "logs").iterdir()) == ["api.log", "gateway.log", "worker.log"]


@pytest.mark.usefixtures("quick")
def test_the_demo_has_its_own_settings_whatever_the_environment_says(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A Redis that is not there, and gateways that may take an hour.
    monkeypatch.setenv("TIDINGS_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("TIDINGS_CALL_TIMEOUT", "3600000")

    code, out, _ = left(lambda: demo(messages=FEW))

    assert code == 0
    assert "CALL_TIMEOUT 600 (10000)" in out
    assert "accepted 92 = S 83 + F 5 + U 4 + open 0 + forgotten 0" in out.splitlines()
    assert out.splitlines()[-2:] == [
        "Every one of the 50 notices is accounted for: looked up, S, or F or",
        "U exactly where its gateway made it so, and none was delivered twice.",
    ]
    assert list(data_dir.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_demo_that_is_kept_stays_up_for_a_look_until_it_is_interrupted(data_dir: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    looked_up = []

    def is_up() -> bool:
        if "Up. Ctrl-C stops it." not in err.getvalue():
            return False
        [note] = data_dir.rglob("stack.json")
        api = json.loads(note.read_text())["urls"]["api"]
        inquiry = {"appId": "demo-app", "requestId": "demo-00001"}
        looked_up.append(post(f"{api}/v2/miniprogram/message/inquiry", inquiry, "demo")["status"])
        return True

    with redirect_stdout(out), redirect_stderr(err), interrupted_when(is_up), pytest.raises(typer.Exit) as leaving:
        demo(messages=FEW, keep=True, json_wanted=True)

    assert leaving.value.exit_code == 0
    assert json.loads(out.getvalue())["ok"] is True
    assert looked_up == ["S"]
    [kept] = (data_dir / "demo").iterdir()
    assert err.getvalue().endswith(f"Data and logs are kept in {kept}\n")


def test_a_demo_that_finds_problems_says_which_and_keeps_its_data(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker that gives up after the first try: what gateways answer the second time is never heard.
    monkeypatch.setattr("api_adapter.cli.demo.SHORTER", {"max_tries": 1, "call_timeout": 500, "sweep_interval": 250})

    code, out, _ = left(lambda: demo(messages=FEW))

    assert code == 1
    assert " problems:" in out
    assert "(fault: asks to try again, twice): the look-up says F, it must be S" in out.replace("\n", " ")
    [kept] = (data_dir / "demo").iterdir()
    assert (kept / "logs" / "worker.log").exists()


@pytest.mark.usefixtures("data_dir")
def test_a_demo_in_which_nothing_moves_any_more_ends_and_names_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_adapter.demo.performance._PATIENCE", 1.5)
    # Nobody comes back to what failed once.
    monkeypatch.setattr(
        "api_adapter.cli.demo.SHORTER",
        {"call_timeout": 500, "backoff_base": 3_600_000, "backoff_cap": 3_600_000, "sweep_interval": 250},
    )

    code, out, _ = left(lambda: demo(messages=FEW))

    assert code == 1
    assert "the look-up says OPEN, it must be S" in out.replace("\n", " ")
    assert "deliveries are still open" in out


def test_an_interrupted_demo_leaves_nothing(data_dir: Path) -> None:
    code, out = interrupted(lambda: demo(messages=20_000), at="s  sent ")

    assert code == 130
    assert out.endswith("Interrupted; everything is stopped.\n")
    assert list(data_dir.iterdir()) == []


def test_a_sending_that_breaks_breaks_the_demo(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("mine")

    monkeypatch.setattr("api_adapter.demo.performance.send_all", broken)

    with redirect_stdout(io.StringIO()), pytest.raises(ValueError, match="mine"):
        demo(messages=FEW)

    assert [directory.name for directory in data_dir.iterdir()] == ["demo"]
