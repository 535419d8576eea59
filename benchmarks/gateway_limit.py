"""What the gateway simulator answers by itself: the ceiling of every other figure on this machine.

Ready bytes, 16 connections, calls of 20 messages and of one; so the cost of the client is small beside the simulator's.
"""

import argparse

import orjson
import uvloop

from benchmarks import charts
from benchmarks.http_load import connect, flat_out, post
from benchmarks.results_file import Report, four
from benchmarks.stack import Servers, cpu_seconds, servers

NAME = "gateway_limit"
SIZES = (20, 1)
_CONNECTIONS = 16
_PATH = "/v2/platform/message/send"


def call(number: int, size: int) -> bytes:
    """Return a call of so many messages."""
    content = orjson.dumps({"title": "Payment", "content": "Hello, customer, your payment has arrived"}).decode()
    messages = [
        {
            "messageId": f"{number}-{place}-PUSH",
            "customerId": "customer-1",
            "messageChannel": "PUSH",
            "templateCode": "TP_BENCH",
            "messageContent": content,
            "redirectUrl": "/orders/1",
        }
        for place in range(size)
    ]
    return post(_PATH, orjson.dumps({"messages": messages}))


async def flood(found: Servers, size: int, deliveries: int) -> Report:
    """Send calls of one size flat out."""
    found.reset()
    calls = [call(number, size) for number in range(deliveries // size)]
    connections = await connect(found.gateway_url, _CONNECTIONS)
    cpu = cpu_seconds(found.gateway_pid)
    exchanges = await flat_out(connections, calls)
    cpu = cpu_seconds(found.gateway_pid) - cpu
    seconds = max(one.began + one.milliseconds / 1e3 for one in exchanges) - exchanges[0].began
    delivered = found.counts()["delivered"]
    for connection in connections:
        connection.close()
    return {
        "size": size,
        "calls_a_second": four(len(calls) / seconds),
        "messages_a_second": four(delivered / 2 / seconds),
        "cpu_us_a_message": four(cpu / (delivered / 2) * 1e6),
    }


def chart(report: Report) -> str:
    """Return messages a second by size of the call."""
    rows = [
        charts.Bar(
            f"{one['size']} a call", rate := one["messages_a_second"], (rate, rate), f"{rate:,.0f}/s", one["size"] > 1
        )
        for one in report["sizes"]
    ]
    return charts.bars("The gateway simulator alone: messages of both channels, a second", report["machine"], rows)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--deliveries", type=int, default=200_000, help="for each size of calls")


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        return {"sizes": [uvloop.run(flood(found, size, given.deliveries)) for size in SIZES]}
