"""What a message costs by the size of the backlog it waits in: CPU from accepting to settled, Redis memory, its record.

A batch of each size is accepted with no worker running, and the memory read; then it is delivered, and it is read
again: a settled message has no payload any more. A small batch is
repeated until enough messages went through to measure them; the first of those does not count.
"""

import argparse
import os
import time
from typing import NamedTuple

import uvloop

from benchmarks import charts
from benchmarks.bodies import bodies
from benchmarks.results_file import Report, four
from benchmarks.rounds import await_deliveries
from benchmarks.stack import Servers, cpu_seconds, servers, started
from benchmarks.systems import PROCESSES, tidings_worker
from benchmarks.tidings_producer import opened_front, take

NAME = "backlog"
APP = "bench-app"
_SAMPLE = 200
_NOT_DATA = ("mem_clients_normal", "mem_aof_buffer", "used_memory_scripts")


class Cpu(NamedTuple):
    """CPU seconds of each part."""

    producer: float
    workers: float
    redis: float

    def minus(self, earlier: "Cpu") -> "Cpu":
        """Return what was used since."""
        return Cpu(*(now - before for now, before in zip(self, earlier, strict=True)))

    def plus(self, other: "Cpu") -> "Cpu":
        """Return the sum."""
        return Cpu(*(one + another for one, another in zip(self, other, strict=True)))


def accept(found: Servers, number: int) -> float:
    """Accept a batch in this process; return its CPU seconds."""

    async def accepted() -> float:
        async with opened_front(found.gateway_url, APP) as opened:
            sends = bodies(number, APP)
            began = time.process_time()
            await take(opened, sends)
        return time.process_time() - began

    return uvloop.run(accepted())


def cost(found: Servers, size: int, least: int) -> Report:
    """Return what a message costs in a backlog of one size."""
    found.reset()
    accept(found, 0)  # puts tokens and a template, which are no message's cost
    empty, before = memory_of(found), cpu_seconds(found.redis_pid)
    accepted = Cpu(accept(found, size), 0, cpu_seconds(found.redis_pid) - before)
    waiting = (memory_of(found) - empty) / size
    record, payload = sizes(found)
    batches = -(-least // size)
    with started(tidings_worker(PROCESSES), found.environment(), found.directory / "worker.log") as worker:
        if batches == 1:
            total = accepted.plus(once(found, worker.pid, size))
        else:
            total = again_and_again(found, worker.pid, size, batches)
    settled = (memory_of(found) - empty) / int(found.counts()["delivered"]) * 2
    cpu = {name: four(part / size / batches * 1e6) for name, part in total._asdict().items()}
    print(f"{size:9,}  CPU us a message: {cpu}  {waiting:,.0f} bytes", flush=True)
    return {
        "size": size,
        "batches": batches,
        "cpu_us": cpu,
        "waiting_bytes": four(waiting),
        "settled_bytes": four(settled),
        "record_bytes": record,
        "payload_bytes": payload,
    }


def once(found: Servers, worker: int, size: int) -> Cpu:
    """Return what it costs to deliver what waits."""
    await_deliveries(found, 1)
    began = used(found, worker)
    await_deliveries(found, size * 2)
    return used(found, worker).minus(began)


def again_and_again(found: Servers, worker: int, size: int, batches: int) -> Cpu:
    """Return what it costs to accept and deliver batches one after another, once what waits is delivered."""
    await_deliveries(found, size * 2)
    began, producer = used(found, worker), 0.0
    for turn in range(batches):
        producer += accept(found, size)
        await_deliveries(found, (turn + 2) * size * 2)
    return used(found, worker).minus(began).plus(Cpu(producer, 0, 0))


def memory_of(found: Servers) -> int:
    """Return the bytes that Redis' data takes, without connections, the cache of scripts and what is to be written."""
    memory: dict[str, int] = found.redis().info("memory")
    return memory["used_memory"] - sum(memory.get(name, 0) for name in _NOT_DATA)


def used(found: Servers, worker: int) -> Cpu:
    """Return the CPU times of the worker and Redis."""
    return Cpu(0, cpu_seconds(worker), cpu_seconds(found.redis_pid))


def sizes(found: Servers) -> tuple[float, float]:
    """Return how many bytes Redis says a record and a payload take, on average."""
    store = found.redis()
    averages = []
    for kind in ("message", "payload"):
        keys = [key for _, key in zip(range(_SAMPLE), store.scan_iter(f"tidings:*:{kind}:*", count=1000), strict=False)]
        averages.append(four(sum(store.memory_usage(key, samples=0) or 0 for key in keys) / len(keys)))
    return averages[0], averages[1]


def chart(report: Report) -> str:
    """Return CPU a message by size of the backlog."""
    lines = [
        charts.Line(name, [(row["size"], row["cpu_us"][name]) for row in report["sizes"]], colour)
        for colour, name in enumerate(("workers", "redis", "producer"))
    ]
    across = charts.Axis("messages in the backlog", is_logarithmic=True)
    title = "CPU of a message by the size of the backlog"
    return charts.lines(title, report["machine"], across, charts.Axis("microseconds"), lines)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    options.add_argument("--least", type=int, default=30_000, help="messages that have to go through for each size")


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        os.environ.update(found.environment())
        return {"sizes": [cost(found, size, given.least) for size in given.sizes]}
