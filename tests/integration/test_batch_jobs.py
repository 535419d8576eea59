"""Batch jobs on a real ledger: an API process that is killed in the middle of a part, and one that dies over a run."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

import orjson
from redis import Redis
from typing_extensions import override

from api_adapter.batch_records import RowFormat
from api_adapter.batch_sending import BatchAnswer
from api_adapter.batch_uploading import PartBody
from api_adapter.decompressing import Encoding
from api_adapter.wiring import Front, front
from tests.batch_jobs import BATCH, DEFAULTS, ROOT, lines, numbers, part_path
from tests.front_desk import APP, TOKEN, grant, payment_notice, wallet
from tests.ledger_driver import new_messages
from tests.samples import send_fields
from tests.servers import TOKEN_SECRET, ApiServer, HttpAnswer, served
from tests.stacks import children
from worker.adapters.redis.keys import Keys
from worker.batch_keeping import CARRIED_OUT_BY
from worker.bootstrap import Addresses, Services, services
from worker.clock import SystemClock
from worker.contract.batch_jobs import CANCEL, RUN, Extent, JobState, PartSummary, Upload
from worker.contract.batch_requests import BatchRun, PartName
from worker.contract.messages import Lane
from worker.contract.origins import BatchPart, BatchStart, BatchTally, Origin
from worker.contract.outcomes import Tally
from worker.settings import Settings

Result = TypeVar("Result")
ORIGIN = Origin(APP, BATCH)
ROWS = 15_000


def on(url: str, story: Callable[[Services], Awaitable[Result]], **settings: object) -> Result:
    async def tell() -> Result:
        chosen = Settings.model_validate({"redis_url": url, "token_secret": TOKEN_SECRET, **settings})
        async with services(chosen, Addresses(url, url)) as found:
            await found.ledger.open()
            return await story(found)

    return asyncio.run(tell())


def on_front(url: str, story: Callable[[Front], Awaitable[None]]) -> None:
    async def tell() -> None:
        settings = Settings(redis_url=url, token_secret=TOKEN_SECRET)
        async with front(settings, Addresses(url, url)) as found:
            await story(found)

    asyncio.run(tell())


async def furnish(found: Services) -> None:
    await found.users.put([(TOKEN, grant())])
    await found.wallets.put(wallet())
    await found.templates.put(payment_notice())


async def tally(found: Services) -> BatchTally:
    assert [audit async for audit in found.audit.shards() if not audit.clean] == []
    return await found.batches.tally(ORIGIN)


def post(server: ApiServer, verb: str, **fields: object) -> HttpAnswer:
    return server.post(ROOT + verb, orjson.dumps({"appId": APP, "batchId": BATCH, **fields}))


def upload(server: ApiServer, content: bytes) -> HttpAnswer | None:
    headers = {"Content-Type": "application/x-ndjson", "Client-Id": "merchant-1"}
    with suppress(OSError, HTTPException):
        return server.call("POST", part_path(1, content), content, headers)
    return None


def some_are_held(redis: Redis) -> bool:
    pipeline = redis.pipeline(transaction=False)
    for shard in range(16):
        pipeline.hexists(Keys(16).batches(shard), f"{ORIGIN.text}#taken")
    return any(pipeline.execute())


def kill(server: ApiServer) -> None:
    """Kill the server with its worker process, at once."""
    for pid in (*children(server.command.process.pid), server.command.process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def upload_and_kill(url: str, directory: Path, content: bytes) -> None:
    """Have an API process killed when some rows of a part are held, and nobody was answered."""
    with served(directory, url) as server, ThreadPoolExecutor(1) as caller:
        assert post(server, "create", **DEFAULTS).code == "SUCCESS"
        answer = caller.submit(upload, server, content)
        with Redis.from_url(url) as redis:
            while not some_are_held(redis):
                assert not answer.done()
        kill(server)
        assert answer.result() is None


def stored(url: str) -> list[bytes]:
    """Return all keys, each with what it holds."""
    with Redis.from_url(url) as redis:
        keys = list(redis.scan_iter(count=5_000))
        pipeline = redis.pipeline(transaction=False)
        for key in keys:
            pipeline.dump(key)
        return [key + (value or b"") for key, value in zip(keys, pipeline.execute(), strict=True)]


def test_a_part_whose_api_was_killed_is_uploaded_again_and_every_row_is_held_once(
    hasty_redis_url: str, tmp_path: Path
) -> None:
    url, content = hasty_redis_url, lines([f"r{number}" for number in range(ROWS)])
    on(url, furnish)
    upload_and_kill(url, tmp_path / "api", content)
    some = on(url, tally)

    async def another_process(front: Front) -> None:
        part = PartBody(RowFormat.JSONL, Encoding.PLAIN, content)
        name = PartName(appId=APP, batchId=BATCH, part=1, sha256=sha256(content).hexdigest())
        refused = await front.batches.run(BatchRun(appId=APP, batchId=BATCH))
        again, once_more = [await front.uploads.upload({"client-id": "merchant-1"}, name, part) for _ in range(2)]

        assert refused["result"]["resultCode"] == "BATCH_STATE_ILLEGAL"
        assert numbers(again) == (ROWS, 0, 0)
        assert once_more == again
        assert (await front.batches.run(BatchRun(appId=APP, batchId=BATCH, rows=ROWS)))["state"] == "RUNNING"

    assert 0 < some.taken < ROWS
    on_front(url, another_process)
    assert on(url, tally) == BatchTally(taken=ROWS, open=ROWS)
    assert not any(TOKEN.encode() in entry for entry in stored(url))


def test_a_run_that_nobody_carried_out_is_carried_out_by_a_sweeper(redis_url: str) -> None:
    async def run_and_die(found: Services) -> None:
        """Note that the batch runs, and carry nothing out."""
        await found.batch_jobs.create(ORIGIN, b"{}", CARRIED_OUT_BY)
        upload = Upload(ORIGIN, 1, "u1")
        await found.batch_jobs.begin(upload, "0a" * 32, Extent(1, 1))
        await found.batch_jobs.finish(upload, PartSummary(accepted=1))
        await found.pauses.pause(ORIGIN)
        await found.batch_jobs.move(ORIGIN, RUN, 0, 0)

    async def sweep(found: Services) -> tuple[JobState, list[Origin], list[Origin]]:
        paused = [pause.origin for pause in await found.pauses.paused()]
        await found.batch_keeper.look_after()
        job = await found.batch_jobs.find(ORIGIN)
        assert job is not None
        assert await found.batch_jobs.due(10) == []
        return job.state, paused, [pause.origin for pause in await found.pauses.paused()]

    on(redis_url, run_and_die)

    assert on(redis_url, sweep) == (JobState.RUNNING, [ORIGIN], [])


def test_a_batch_is_forgotten_after_its_messages(redis_url: str) -> None:
    async def story(found: Services) -> tuple[list[Origin], list[Origin]]:
        await found.batch_jobs.create(ORIGIN, b"{}", 0)
        await asyncio.sleep(0.05)
        await found.batch_keeper.look_after()
        kept = await found.batch_jobs.all()
        job = await found.batch_jobs.find(ORIGIN)
        assert job is not None
        await found.batch_jobs.postpone(job, 0)
        await asyncio.sleep(0.25)
        await found.batch_keeper.look_after()
        return kept, await found.batch_jobs.all()

    assert on(redis_url, story, retention=200) == ([ORIGIN], [])


def test_an_atomic_batch_that_is_refused_leaves_the_ledger_as_it_was(redis_url: str) -> None:
    good = [send_fields(requestId=f"r{number}") for number in range(50)]

    async def story(front: Front) -> None:
        def send(*sends: object) -> Awaitable[BatchAnswer]:
            body = orjson.dumps({"sends": sends, "atomic": True})
            return front.batch_sending.send({"client-id": "merchant-1"}, body)

        refused = await send(*good, send_fields(requestId="bad", templateCode="NONE"))
        nothing = await front.services.records.tallies()
        taken = await send(*good)

        assert refused.content["result"]["resultCode"] == "BATCH_REFUSED"
        assert {tally.accepted for tally in nothing.values()} <= {0}
        assert taken.content["totals"] == {"sends": 50, "S": 50, "U": 0, "F": 0}
        assert set((await front.services.records.tallies()).values()) == {Tally(accepted=50, open=50)}
        assert [audit async for audit in front.services.audit.shards() if not audit.clean] == []
        assert await front.services.pauses.paused() == []

    on(redis_url, furnish)
    on_front(redis_url, story)


class Hurried(SystemClock):
    """Lets a second pass whenever somebody looks."""

    seconds = 0.0

    @override
    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds


def test_a_sweeper_cancels_a_large_batch_bit_by_bit(hasty_redis_url: str) -> None:
    async def story(found: Services) -> tuple[list[int], BatchTally, list[Origin]]:
        await found.ledger.accept(APP, Lane.BULK, new_messages(5_000, APP), part=BatchPart(BATCH, BatchStart.PAUSED))
        await found.batch_jobs.create(ORIGIN, b"{}", 0)
        await found.batch_jobs.move(ORIGIN, CANCEL, 0, 0)
        keeper = replace(found, clock=Hurried()).batch_keeper
        lefts: list[int] = []
        while not lefts or lefts[-1]:
            await asyncio.sleep(0.05)
            due = await found.batch_jobs.due(10)
            await keeper.look_after()
            if due:
                lefts.append((await found.batches.tally(ORIGIN)).open)
        await asyncio.sleep(0.6)
        await keeper.look_after()
        return lefts, await tally(found), await found.batch_jobs.due(10)

    lefts, ended, due = on(hasty_redis_url, story)

    assert len(lefts) > 1
    assert lefts == sorted(lefts, reverse=True)
    assert (ended.F, ended.open) == (5_000, 0)
    assert due == []
