"""Processes that call merchants end in time, although the name server of one never answers."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import SECRET, CommandLine
from tests.ledger_driver import final, ids, new_messages
from tests.stacks import Command
from tests.unanswered_names import ASKED
from worker.bootstrap import Services
from worker.contract.callbacks import EVERY_OUTCOME
from worker.contract.messages import Lane

HOST = "shop.test"
READY = "ready."


@pytest.fixture
def command(redis_url: str) -> CommandLine:
    found = CommandLine(redis_url)
    found.lines("callback", "put", "shop", "--url", f"https://{HOST}/")
    return found


@contextmanager
def started(command: CommandLine, tmp_path: Path, *arguments: str, **settings: object) -> Iterator[Command]:
    given = {"redis_url": command.redis_url, "token_secret": SECRET, **settings}
    process = Command(tmp_path / "data", arguments, given, module="tests.unanswered_names")
    try:
        yield process
    finally:
        family = process.family() if process.process.poll() is None else set()
        for pid in family:
            os.kill(pid, signal.SIGKILL)
        process.process.wait()


def make_a_callback_due(command: CommandLine) -> None:
    messages = new_messages(1, "shop")

    async def story(services: Services) -> None:
        await services.ledger.accept("shop", Lane.SINGLE, messages, EVERY_OUTCOME)
        for shard in range(services.keys.shards):
            claims = await services.ledger.claim(shard, ids(messages), f"claim{shard}")
            await services.ledger.settle([final(claim) for claim in claims])

    command.on_services(story)


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_ends_while_it_looks_up_a_merchants_name(
    command: CommandLine, broker_url: str, tmp_path: Path, pool: str
) -> None:
    make_a_callback_due(command)
    with started(command, tmp_path, "worker", "--children", "1", "--pool", pool, broker_url=broker_url) as worker:
        worker.until_printed(ASKED + HOST)
        # Celery hears of SIGTERM a moment after the solo pool's thread began to deliver.
        worker.until_printed(READY)

        assert worker.stopped_by(signal.SIGTERM) == 0


def test_a_callback_is_tried_out_in_its_time_whoever_answers_for_its_name(command: CommandLine, tmp_path: Path) -> None:
    with started(command, tmp_path, "callback", "test", "shop", callback_timeout=300) as tried:
        assert tried.ended() == 1

    assert ASKED + HOST in tried.stderr
    assert tried.stdout == "shop: TIMEOUT\n"
