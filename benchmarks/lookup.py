"""Look-ups in batches over HTTP: requestIds a second of one API process, by size of the batch."""

import argparse
import os

import orjson
import uvloop

from benchmarks import charts
from benchmarks.api_process import api
from benchmarks.bodies import bodies
from benchmarks.http_load import connect, flat_out, post
from benchmarks.latency import APP, rate_of
from benchmarks.results_file import Report, four, percentiles
from benchmarks.stack import Servers, servers
from benchmarks.tidings_producer import opened_front, take

NAME = "lookup"
SIZES = (100, 1_000, 10_000)
_CONNECTIONS = 4
_PATH = "/v2/miniprogram/message/batchInquiry"


async def look_up(address: str, request_ids: list[str], size: int, number: int) -> Report:
    """Look so many requestIds up in batches of one size."""
    size = min(size, len(request_ids))
    places = [start % (len(request_ids) - size + 1) for start in range(0, number, size)]
    calls = [
        post(_PATH, orjson.dumps({"appId": APP, "requestIds": request_ids[place : place + size]})) for place in places
    ]
    connections = await connect(address, _CONNECTIONS)
    exchanges = await flat_out(connections, calls)
    for connection in connections:
        connection.close()
    unseen = sum(one.body.count(b"NEVER_SEEN") for one in exchanges)
    if unseen:
        raise LookupError(unseen)
    took = percentiles(one.milliseconds for one in exchanges)
    return {"size": size, "a_second": four(rate_of(exchanges) * size), "milliseconds": took}


async def run(found: Servers, address: str, given: argparse.Namespace) -> Report:
    """Take messages and look them up."""
    sends = bodies(given.messages, APP)
    async with opened_front(found.gateway_url, APP) as opened:
        await take(opened, sends)
    request_ids = [orjson.loads(body)["requestId"] for body in sends]
    sizes = [await look_up(address, request_ids, size, given.ids) for size in SIZES]
    return {"messages": given.messages, "connections": _CONNECTIONS, "sizes": sizes}


def chart(report: Report) -> str:
    """Return requestIds a second by size of the batch."""
    rows = [
        charts.Bar(f"batches of {one['size']:,}", rate := one["a_second"], (rate, rate), f"{rate:,.0f}/s", is_ours=True)
        for one in report["sizes"]
    ]
    return charts.bars("Look-up over HTTP, one API process: requestIds a second", report["machine"], rows)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--messages", type=int, default=50_000, help="in the ledger")
    options.add_argument("--ids", type=int, default=400_000, help="looked up for each size of batches")


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        os.environ.update(found.environment())
        with api(found) as process:
            return uvloop.run(run(found, process.address, given))
