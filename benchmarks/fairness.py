"""One merchant's large backlog drains; meanwhile another sends singles, and a third has a batch of its own.

Measured are the way of each single message, from taken to settled in both channels by the clock of Redis, and the share
of the third merchant's batch while both batches wait. Fair is one half.
"""

import argparse
import asyncio
import os
import time
from typing import NamedTuple

import orjson
import uvloop

from benchmarks import charts
from benchmarks.bodies import bodies
from benchmarks.producing import bulk
from benchmarks.results_file import Report, four, percentiles
from benchmarks.stack import Servers, servers, started
from benchmarks.systems import PROCESSES, tidings_worker
from benchmarks.tidings_producer import opened_front, take
from benchmarks.timelines import milliseconds_to_settle
from worker.adapters.redis.records import RedisRecords
from worker.contract.identity import message_id
from worker.contract.messages import Lane

NAME = "fairness"
LARGE, SMALL, SINGLE = "large-batch", "small-batch", "single-sends"
_GLANCE = 0.1
_PATIENCE = 600


class Sample(NamedTuple):
    """How much of each batch was settled at an instant."""

    at: float
    settled: dict[str, int]
    """Deliveries with S by appId."""

    def of(self, app: str) -> int:
        """Return a merchant's."""
        return self.settled.get(app, 0)


async def sample(records: RedisRecords) -> Sample:
    """Read the ledger's counters."""
    settled: dict[str, int] = {}
    for (app, _), tally in (await records.tallies()).items():
        settled[app] = settled.get(app, 0) + tally.S
    return Sample(time.perf_counter(), settled)


async def settled(records: RedisRecords, app: str, wanted: int) -> list[Sample]:
    """Sample until so many deliveries of a merchant are settled. Raises TimeoutError."""
    samples = [await sample(records)]
    while samples[-1].of(app) < wanted:
        if samples[-1].at - samples[0].at > _PATIENCE:
            raise TimeoutError(samples[-1])
        await asyncio.sleep(_GLANCE)
        samples.append(await sample(records))
    return samples


def share(samples: list[Sample], wanted: int) -> float:
    """Return the small batch's share of what both settled from its first tenth to its last. Raises ValueError."""
    if samples[0].of(SMALL) == samples[-1].of(SMALL):
        raise ValueError("the small batch was over before anybody looked: give it more messages")
    begin = [one for one in samples if one.of(SMALL) <= wanted * 0.1] or samples[:1]
    end = next(one for one in samples if one.of(SMALL) >= wanted * 0.9)
    small, large = (end.of(app) - begin[-1].of(app) for app in (SMALL, LARGE))
    return small / (small + large)


async def run(found: Servers, given: argparse.Namespace) -> Report:
    """Send singles while both batches drain; return how they fared."""
    ids = []
    async with opened_front(found.gateway_url, SINGLE) as opened:
        records = opened.services.records
        await settled(records, LARGE, 1)
        watching = asyncio.create_task(settled(records, SMALL, given.small * 2))
        while not watching.done():
            (body,) = bodies(1, SINGLE)
            await take(opened, [body], Lane.SINGLE)
            ids.append(message_id(SINGLE, orjson.loads(body)["requestId"]))
            await asyncio.sleep(1 / given.rate)
        samples = await watching
        await settled(records, SINGLE, len(ids) * 2)
        took = await milliseconds_to_settle(found, ids)
    first = samples[0]
    return {
        "large": given.large,
        "small": given.small,
        "singles": len(ids),
        "singles_a_second": given.rate,
        "single_milliseconds": percentiles(took),
        "share": four(share(samples, given.small * 2)),
        "line": [[four(one.at - first.at), one.of(LARGE) / 2, one.of(SMALL) / 2] for one in samples],
    }


def chart(report: Report) -> str:
    """Return how both batches drained."""
    lines = [
        charts.Line(name, [(row[0], row[place]) for row in report["line"]], place - 1)
        for place, name in ((1, f"batch of {report['large']:,}"), (2, f"batch of {report['small']:,}"))
    ]
    title = "Messages delivered while both batches wait"
    return charts.lines(title, report["machine"], charts.Axis("seconds"), charts.Axis("messages"), lines)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--large", type=int, default=200_000, help="messages of the merchant with the large batch")
    options.add_argument("--small", type=int, default=50_000, help="messages of the other batch")
    options.add_argument("--rate", type=float, default=50, help="single sends a second")


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        os.environ.update(found.environment())
        bulk(found, given.large, LARGE)
        bulk(found, given.small, SMALL)
        with started(tidings_worker(PROCESSES), found.environment(), found.directory / "worker.log"):
            return uvloop.run(run(found, given))
