"""What comes in goes wrong: API and batch die midway, a send comes a thousand times, each hint three times over."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from api_adapter.drill.fault import Fault
from api_adapter.drill.layout import NOWHERE, Layout
from api_adapter.drill.sends import CLIENT_ID, Send, Via, and_one_more, ordinary
from api_adapter.drill.stack import API
from api_adapter.drill.stage import DrillError, Stage
from api_adapter.stack.exchanges import http_client
from api_adapter.stack.sending import Reply, post
from worker.contract.codes import ResultStatus
from worker.contract.identity import shard_of
from worker.contract.messages import Hint, Lane
from worker.hinting import hint_publisher

_BATCH = "batch"
_TIMES = 1_000
_AT_ONCE = 250
"""Connections; more would meet the limits of a process."""
_PATIENCE = 30.0
_COPIES = 3
_FLUSH = 10.0
_LANES = {Via.HTTP: Lane.SINGLE, Via.BATCH: Lane.BULK, Via.FAULT: Lane.BULK}


async def _api_killed(stage: Stage) -> None:
    await stage.under_way()
    sends = [send for send in stage.sends if send.via is Via.FAULT]
    file, results = (stage.stack.directory / name for name in ("batch.jsonl", "batch.results.jsonl"))
    file.write_bytes(b"".join(send.body + b"\n" for send in sends))
    parts = stage.stack.parts
    stage.stack.send_file(_BATCH, file, results, CLIENT_ID)
    await stage.until(lambda: _is_taken(stage, sends[0]), "the beginning of the batch to be taken")
    async with stage.fault():
        parts.kill(_BATCH)
        parts.kill(API)
        parts.again(API)
        parts.again(_BATCH)
        await parts.until_ready(API)
    code = await parts.ended(_BATCH)
    if code:
        raise DrillError(f"the batch, sent again, ended with exit code {code}: see {parts[_BATCH].log}")
    stage.load.replies |= dict(zip(sends, _replies(results), strict=True))


async def _is_taken(stage: Stage, send: Send) -> bool:
    return (await stage.services.records.find([send.message_id])) != [None]


def _replies(results: Path) -> list[Reply]:
    rows = [orjson.loads(line) for line in results.read_bytes().splitlines()]
    return [Reply(row["resultStatus"], row["resultCode"], row["messageId"]) for row in rows]


def _mostly_in_a_file(messages: int) -> tuple[Send, ...]:
    """Return notices of which the fault sends the second half of each ten as a file."""
    return tuple(
        replace(send, via=Via.FAULT) if number % 10 >= 5 else send  # noqa: PLR2004 - half of ten
        for number, send in enumerate(ordinary(messages))
    )


async def _same_request(stage: Stage) -> None:
    await stage.under_way()
    send = stage.sends[-1]
    turns = asyncio.Semaphore(_AT_ONCE)
    async with http_client(_PATIENCE) as client:

        async def once() -> Reply:
            async with turns:
                return await post(client, stage.load.url, CLIENT_ID, send.body)

        async with stage.fault():
            replies = await asyncio.gather(*(once() for _ in range(_TIMES)))
    await stage.load.post(send)
    stage.problems += _differing(send, replies)


def _differing(send: Send, replies: Sequence[Reply]) -> list[str]:
    expected = Reply(ResultStatus.S, "SUCCESS", send.message_id)
    wrong = [reply for reply in replies if reply != expected]
    return [f"{len(wrong)} of {len(replies)} equal sends were answered otherwise: {wrong[0]}"] if wrong else []


async def _hints_thrice(stage: Stage) -> None:
    hinted: set[Send] = set()
    with hint_publisher(stage.stack.addresses) as publisher:
        while not stage.loaded.is_set():
            fresh = [send for send in stage.load.taken if send not in hinted]
            hinted.update(fresh)
            for _ in range(_COPIES):
                publisher.publish([_hint(stage, send) for send in fresh])
                await asyncio.to_thread(publisher.flush, _FLUSH)
            await asyncio.sleep(stage.times.sweep / _COPIES)


def _hint(stage: Stage, send: Send) -> Hint:
    shard = shard_of(send.message_id, stage.services.settings.shards)
    return Hint(_LANES[send.via], shard, (send.message_id,))


async def _all_the_time(_stage: Stage) -> None:
    """Leave it to the layout."""


FAULTS = (
    Fault(
        "api-killed",
        "SIGKILL of the API, and of a `tidings send` in the middle of its file; both sides send again",
        _api_killed,
        sends=_mostly_in_a_file,
    ),
    Fault(
        "same-request",
        "The same requestId is sent 1,000 times at once over HTTP: taken once, answered alike",
        _same_request,
        sends=and_one_more,
    ),
    Fault(
        "hints-thrice",
        "The hints of everything that is taken are delivered three times more",
        _hints_thrice,
        lambda times: times.tail,
    ),
    Fault(
        "two-sweepers",
        "No hint of intake arrives: the sweepers of two workers find everything at once, all the time",
        _all_the_time,
        layout=Layout(hints_to=NOWHERE),
    ),
)
