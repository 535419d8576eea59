"""A replay that is killed or interrupted in the middle: run again it goes on, and replays nothing twice."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.ledger_driver import dead, ids, new_messages
from tests.stacks import tidings, wait_until
from worker.bootstrap import Addresses, Services, services
from worker.contract.dead_letters import DeadLetterQuery
from worker.contract.messages import Lane
from worker.settings import Settings

Result = TypeVar("Result")

LETTERS = new_messages(400)
REPLAY = ("dlq", "replay", "--where", "app:shop", "--yes", "--json", "--receipt", "receipt.jsonl")


def on_services(url: str, story: Callable[[Services], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with services(Settings(redis_url=url), Addresses(url, url)) as found:
            return await story(found)

    return asyncio.run(tell())


async def bury(found: Services) -> None:
    await found.ledger.open()
    await found.ledger.accept("shop", Lane.BULK, LETTERS)
    await die(found)


async def die(found: Services) -> None:
    """Let every message that is due become a dead letter."""
    for shard in range(found.keys.shards):
        here = [one for one in ids(LETTERS) if found.keys.shard(one) == shard]
        await found.ledger.settle([dead(claim) for claim in await found.ledger.claim(shard, here, "claim-1")])


async def replays(found: Services) -> Counter[int]:
    """Count messages by how often they were replayed."""
    outcomes = await found.records.find(ids(LETTERS))
    return Counter(len(outcome.interventions) for outcome in outcomes if outcome is not None)


async def dead_letters(found: Services) -> int:
    return len((await found.dead_letters.page(DeadLetterQuery(), 10_000)).letters)


def notes(receipt: Path) -> list[dict[str, Any]]:
    text = receipt.read_text() if receipt.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_replay_stopped_in_the_middle_goes_on_and_replays_nothing_twice(
    redis_url: str,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    on_services(redis_url, bury)
    receipt = tmp_path / "receipt.jsonl"

    with tidings(tmp_path / "data", *REPLAY, "--rate", "200", redis_url=redis_url) as first:
        wait_until(lambda: len(notes(receipt)) > 100, "a part is replayed")
        assert first.stopped_by(number) == code
    on_services(redis_url, die)
    in_the_middle = on_services(redis_url, replays)
    with tidings(tmp_path / "data", *REPLAY, redis_url=redis_url) as second:
        assert second.ended() == 0

    assert 0 < in_the_middle[1] < len(LETTERS)
    assert on_services(redis_url, replays) == {1: len(LETTERS)}
    assert on_services(redis_url, dead_letters) == in_the_middle[1]
    done = json.loads(second.stdout)
    assert (done["sent"], done["suppressed"], done["failed"]) == (len(LETTERS), 0, 0)
    assert Counter(note["messageId"] for note in notes(receipt) if "result" in note) == dict.fromkeys(ids(LETTERS), 1)
