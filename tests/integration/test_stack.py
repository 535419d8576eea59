"""The stack of `dev` and `demo`, run by this process: what it says of parts that die, and in which order it stops."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis

from api_adapter.stack import processes
from api_adapter.stack.exchanges import http_client
from api_adapter.stack.ports import Wish, choose_ports
from api_adapter.stack.processes import Part, PartError, Program
from api_adapter.stack.readiness import consumes, listens, serves
from api_adapter.stack.running import Stack, running
from tests.stacks import ROOT
from worker.adapters.redis.file_locks import is_held, open_lock, take_shared
from worker.contract.exits import RECYCLED
from worker.settings import Settings

ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def settings(data_dir: Path, **replaced: object) -> Settings:
    ports = choose_ports([Wish("127.0.0.1", 0, ""), Wish("127.0.0.1", 0, "")])
    placed = {"data_dir": data_dir, "api_port": ports[0], "gateway_port": ports[1]}
    return Settings.model_construct().model_copy(update=placed | replaced)


@asynccontextmanager
async def a_stack(data_dir: Path, told: list[str], **replaced: object) -> AsyncIterator[Stack]:
    async with running(settings(data_dir, **replaced), ENVIRON, asyncio.Event(), told.append) as stack:
        yield stack


async def forever() -> None:
    await asyncio.Event().wait()


def a_part(tmp_path: Path, *arguments: str, grace: float = 60) -> Part:
    return a_part_of(tmp_path, processes.tidings(*arguments), grace)


def a_part_of(tmp_path: Path, command: tuple[str, ...], grace: float = 60) -> Part:
    """Start a part; its processes share a lock on a file as long as any of them is there."""
    lock = open_lock(lock_of(tmp_path))
    take_shared(lock)
    try:
        return Part(Program("gateway", command, ENVIRON, tmp_path / "logs" / "gateway.log", grace), lock)
    finally:
        os.close(lock)


def lock_of(tmp_path: Path) -> Path:
    return tmp_path / "lock"


async def never() -> bool:
    return False


def test_work_on_a_stack_gives_its_result_and_everything_is_stopped(tmp_path: Path) -> None:
    told: list[str] = []

    async def work(stack: Stack) -> str:
        async with http_client() as client:
            assert await serves(client, f"{stack.api_url}/readyz")
            assert await serves(client, f"{stack.gateway_url}/healthz")
            assert not await serves(client, f"{stack.gateway_url}/nothing")
        assert await consumes(stack.logs / "worker.log")
        return "done"

    async def main() -> tuple[str, Stack]:
        async with a_stack(tmp_path, told) as stack:
            return await stack.guard(work(stack)), stack

    done, stack = asyncio.run(main())

    assert done == "done"
    assert told == ["Stopping: API, worker (finishes what it holds), gateway simulator, Valkey ..."]
    urls = (stack.api_url, stack.gateway_url, stack.addresses.redis_url)
    assert [asyncio.run(listens(url)) for url in urls] == [False] * 3
    # What ends first writes its last word first.
    logs = [stack.logs / f"{name}.log" for name in ("api", "worker", "gateway")]
    assert sorted(logs, key=lambda log: log.stat().st_mtime_ns) == logs


def test_a_part_that_dies_ends_the_work_on_its_stack(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stack(tmp_path, []) as stack:
            worker = stack.pids["worker"]
            asyncio.get_running_loop().call_later(0.5, os.killpg, worker, signal.SIGKILL)
            await stack.guard(forever())

    with pytest.raises(
        PartError, match=r"^the worker ended by itself \(killed by SIGKILL\); the end of .*worker\.log:"
    ):
        asyncio.run(main())


def test_an_embedded_valkey_that_is_gone_ends_the_work_on_its_stack(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stack(tmp_path, []) as stack:
            client = redis.Redis.from_url(stack.addresses.redis_url)
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
            client.close()
            await stack.guard(forever())

    with pytest.raises(PartError, match=r"^the embedded Valkey is gone; the end of .*valkey\.log:"):
        asyncio.run(main())


def test_a_worker_that_recycles_itself_is_started_again(tmp_path: Path) -> None:
    told: list[str] = []
    # Any Python process of this stack ends at this signal as a worker does that recycles itself.
    (tmp_path / "sitecustomize.py").write_text(
        f"import os, signal\nsignal.signal(signal.SIGUSR2, lambda *_: os._exit({RECYCLED}))\n"
    )
    environ = ENVIRON | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}

    async def work(stack: Stack) -> None:
        before = stack.pids["worker"]
        os.kill(before, signal.SIGUSR2)
        while stack.pids["worker"] == before or not await consumes(stack.logs / "worker.log"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async def main() -> None:
        async with running(settings(tmp_path / "data"), environ, asyncio.Event(), told.append) as stack:
            await stack.guard(work(stack))

    asyncio.run(main())

    assert "The worker lived and did not work, and ended itself: starting it again ..." in told


def test_an_error_of_the_work_is_told_and_everything_is_stopped(tmp_path: Path) -> None:
    stacks = []

    async def work() -> None:
        raise ValueError("mine")

    async def main() -> None:
        async with a_stack(tmp_path, []) as stack:
            stacks.append(stack)
            await stack.guard(work())

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(main())

    assert not asyncio.run(listens(stacks[0].api_url))


def test_an_impatient_end_kills_what_does_not_end_at_once_and_says_so(tmp_path: Path) -> None:
    told: list[str] = []
    impatient = asyncio.Event()

    async def main() -> Stack:
        async with running(settings(tmp_path), ENVIRON, impatient, told.append) as stack:
            impatient.set()
        return stack

    stack = asyncio.run(main())

    assert "The worker was killed; what a worker held comes back when its lease ends." in told
    assert asyncio.run(listens(stack.gateway_url)) is False
    assert asyncio.run(listens(stack.addresses.redis_url)) is False


def test_a_part_says_how_it_ended_and_what_it_said_last(tmp_path: Path) -> None:
    part = a_part(tmp_path, "no-such-verb")

    with pytest.raises(
        PartError, match=r"^the gateway ended by itself \(exit code 2\); the end of(?s:.*)No such command"
    ):
        asyncio.run(part.until_ready(never, 60))

    part.kill()


def test_a_part_that_is_never_ready_is_told(tmp_path: Path) -> None:
    part = a_part(tmp_path, "gateway", "--port", "0")
    try:
        with pytest.raises(PartError, match=r"^the gateway was not ready within 0\.1 s"):
            asyncio.run(part.until_ready(never, 0.1))
    finally:
        part.kill()

    assert not part.runs


LARGE_FAMILY = """
import os, time
parent = os.getpid()
for _ in range(8):
    if os.getpid() == parent and not os.fork():
        memory = bytearray(b"x" * 64_000_000)
        print("here", flush=True)
        time.sleep(600)
time.sleep(600)
"""
"""Processes of much memory: a killed one is there until it is given back."""


def test_nobody_of_a_part_that_was_killed_is_left(tmp_path: Path) -> None:
    part = a_part_of(tmp_path, (sys.executable, "-c", LARGE_FAMILY))

    async def is_ready() -> bool:
        return part.log.read_text().count("here") == 8

    asyncio.run(part.until_ready(is_ready, 60))
    assert is_held(lock_of(tmp_path))
    part.kill()

    assert not is_held(lock_of(tmp_path))


def test_a_part_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    part = a_part(tmp_path, "gateway", "--port", "0", grace=0.2)

    async def is_ready() -> bool:
        return "gateway_simulator_ready" in part.log.read_text()

    async def main() -> bool:
        await part.until_ready(is_ready, 60)
        os.kill(part.pid, signal.SIGSTOP)
        return await part.stop(asyncio.Event())

    assert asyncio.run(main()) is False
    assert not part.runs


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    for verb in ("first", "second"):
        part = a_part(tmp_path, verb)
        with pytest.raises(PartError):
            asyncio.run(part.until_ready(never, 60))
        part.kill()

    assert "'second'" in (tmp_path / "logs" / "gateway.log").read_text()
    assert "'first'" in (tmp_path / "logs" / "gateway.log.1").read_text()
