"""Single sends over HTTP: what one API process accepts by 64 connections, and how long a message takes at half load.

First nobody delivers: accepting alone. Then a worker of two processes runs beside it: the load under which both keep up
is the capacity, and at half of it each message's way is read from the ledger, from taken to settled in both channels,
by the clock of Redis.
"""

import argparse
import asyncio
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvloop

from benchmarks import charts
from benchmarks.api_process import api
from benchmarks.bodies import bodies
from benchmarks.http_load import Connection, Exchange, at_rate, connect, flat_out, post
from benchmarks.results_file import Report, four, percentiles
from benchmarks.rounds import await_deliveries
from benchmarks.stack import Servers, servers, started
from benchmarks.systems import PROCESSES, tidings_worker
from benchmarks.tidings_producer import opened_front
from benchmarks.timelines import milliseconds_to_settle
from worker.contract.identity import message_id

NAME = "latency"
APP = "bench-app"
SEND = "/v2/miniprogram/message/send"


@contextmanager
def workers(found: Servers) -> Iterator[None]:
    """Run a worker for as long as the block."""
    with started(tidings_worker(PROCESSES), found.environment(), found.directory / "worker.log"):
        yield


def sends(number: int) -> tuple[list[bytes], list[str]]:
    """Return requests and the messageIds that they will get."""
    chosen = bodies(number, APP)
    ids = [message_id(APP, body.partition(b'"requestId":"')[2].partition(b'"')[0].decode()) for body in chosen]
    return [post(SEND, body) for body in chosen], ids


def refused(exchanges: Sequence[Exchange]) -> int:
    """Return how many sends were not taken."""
    return sum(b'"resultStatus":"S"' not in one.body for one in exchanges)


def rate_of(exchanges: Sequence[Exchange]) -> float:
    """Return answers a second."""
    ends = [one.began + one.milliseconds / 1e3 for one in exchanges]
    return len(exchanges) / (max(ends) - min(one.began for one in exchanges))


async def accepting(connections: Sequence[Connection], number: int, rounds: int) -> Report:
    """Measure accepting alone: the median of the rounds' rates, and what every send of all of them took."""
    played = [await flat_out(connections, sends(number)[0]) for _ in range(rounds)]
    exchanges = [one for each in played for one in each]
    return {
        "a_second": four(statistics.median(map(rate_of, played))),
        "milliseconds": percentiles(one.milliseconds for one in exchanges),
        "refused": refused(exchanges),
    }


async def capacity(found: Servers, connections: Sequence[Connection], number: int) -> float:
    """Return messages a second from the first send to the last delivery."""
    before = found.counts()["delivered"]
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    await flat_out(connections, sends(number)[0])
    await asyncio.to_thread(await_deliveries, found, before + number * 2)
    return number / (loop.time() - started_at)


async def at_half_load(found: Servers, connections: Sequence[Connection], rate: float, number: int) -> Report:
    """Measure each message's way at a rate."""
    before = found.counts()["delivered"]
    requests, ids = sends(number)
    exchanges = await at_rate(connections, requests, rate)
    await asyncio.to_thread(await_deliveries, found, before + number * 2)
    return {
        "offered": four(rate),
        "sent": four(rate_of(exchanges)),
        "refused": refused(exchanges),
        "accept_milliseconds": percentiles(one.milliseconds for one in exchanges),
        "deliver_milliseconds": percentiles(await milliseconds_to_settle(found, ids)),
    }


async def run(found: Servers, address: str, given: argparse.Namespace) -> Report:
    """Measure all three."""
    async with opened_front(found.gateway_url, APP):
        pass
    connections = await connect(address, given.connections)
    await flat_out(connections, sends(given.connections)[0])
    report: Report = {"connections": given.connections, "messages": given.messages, "rounds": given.rounds}
    report["accept"] = await accepting(connections, given.messages, given.rounds)
    with workers(found):
        await asyncio.to_thread(await_deliveries, found, (given.rounds * given.messages + given.connections) * 2)
        most = await capacity(found, connections, given.messages)
        report["capacity"] = four(most)
        report["half_load"] = await at_half_load(found, connections, most / 2, int(most / 2 * given.seconds))
    for connection in connections:
        connection.close()
    return report


def chart(report: Report) -> str:
    """Return p50, p99 and the slowest at half load."""
    half = report["half_load"]
    rows = [
        charts.Bar(f"{name}, {key}", took[key], (took[key], took[key]), f"{took[key]:,.1f} ms", name == "delivered")
        for name, took in (("accepted", half["accept_milliseconds"]), ("delivered", half["deliver_milliseconds"]))
        for key in ("p50", "p99")
    ]
    return charts.bars(f"Single sends over HTTP at {half['sent']:,.0f}/s: milliseconds", report["machine"], rows)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--messages", type=int, default=30_000, help="of accepting alone, and of finding the capacity")
    options.add_argument("--rounds", type=int, default=5, help="of accepting alone")
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--seconds", type=float, default=15, help="at half load")


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        os.environ.update(found.environment())
        with api(found) as process:
            return uvloop.run(run(found, process.address, given))
