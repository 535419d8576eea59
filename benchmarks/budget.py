"""Where each microsecond goes: the main job once more, with py-spy in the worker processes and Redis' own statistics.

It is the product as Python source, since py-spy can't tell what compiled code does.

What the processes use is read from the operating system, so the parts add up to the whole; py-spy's samples only say
how the time of a worker's processes is parted. What Redis spends on commands is INFO commandstats, which goes by the
clock: on a machine that others use too it seems to be all. What else its process uses is sockets, parsing and the
append-only file.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import charts
from benchmarks.producing import produce
from benchmarks.results_file import Report, four, machine
from benchmarks.rounds import Reading, await_deliveries, first_delivery
from benchmarks.stack import Servers, servers, started
from benchmarks.systems import NOT_COMPILED

NAME = "budget"
_RATE = 200
"""Samples a second."""
_SITE = "site-packages/"
_LIBRARIES = {
    "celery": "Celery, kombu",
    "kombu": "Celery, kombu",
    "billiard": "Celery, kombu",
    "vine": "Celery, kombu",
    "redis": "Redis client",
    "hiredis": "Redis client",
    "httptools": "HTTP client",
    "pyreqwest": "HTTP client",
    "pydantic": "pydantic",
    "structlog": "logs",
    "uvloop": "event loop",
}
_OURS = {
    "worker/adapters/redis": "ledger: arguments and replies",
    "worker/adapters/gateways": "calls: bodies and answers",
    "worker/adapters/http_calls": "HTTP client",
    "worker/adapters/celery": "hints",
    "worker/rendering": "packing and rendering",
    "worker/packing": "packing and rendering",
    "worker/message_content": "packing and rendering",
    "worker/contract": "packing and rendering",
    "worker/placeholders": "packing and rendering",
}
_LOOP = "delivery loop"
_OTHER = "Python itself"
_EVENTS = "event loop"
_UNSEEN = "Python"


@dataclass(frozen=True)
class Sampling:
    """A py-spy that runs beside a process."""

    process: subprocess.Popen[bytes]
    path: Path


def part_of(frames: list[str]) -> str:
    """Return the part that a stack belongs to: that of its innermost frame that is known."""
    for frame in reversed(frames):
        if _SITE in frame:
            package = frame.partition(_SITE)[2].partition("/")[0].removesuffix(".py")
            if package in _LIBRARIES:
                return _LIBRARIES[package]
        elif "worker/" in frame:
            place = "worker/" + frame.partition("worker/")[2]
            return next((part for prefix, part in _OURS.items() if place.startswith(prefix)), _LOOP)
        elif "asyncio/" in frame:
            return _EVENTS
    return _OTHER


def parted(lines: Iterable[str]) -> Counter[str]:
    """Return samples by part, from py-spy's raw format: `frame;frame;... count`."""
    parts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        parts[part_of(stack.split(";"))] += int(count)
    return parts


@contextmanager
def sampled(found: Servers, parent: int) -> Iterator[list[Sampling]]:
    """Sample the children of a worker for as long as the block."""
    samplings = []
    spy = str(Path(sys.executable).with_name("py-spy"))
    for child in psutil.Process(parent).children():
        path = found.directory / f"{child.pid}.raw"
        command = [spy, "record", "--pid", str(child.pid), "--format", "raw", "--full-filenames", "--nonblocking"]
        command += ["--rate", str(_RATE), "--output", str(path), "--duration", "3600"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        samplings.append(Sampling(process, path))
    try:
        yield samplings
    finally:
        for sampling in samplings:
            sampling.process.send_signal(signal.SIGINT)
            sampling.process.wait()


def worker_seconds(parent: int) -> dict[str, float]:
    """Return CPU seconds of a worker's processes so far: of its parent, and of the others together."""
    worker = psutil.Process(parent)
    return {
        "Celery's parent process": sum(worker.cpu_times()[:2]),
        "python": sum(sum(child.cpu_times()[:2]) for child in worker.children()),
    }


def commands(found: Servers) -> dict[str, float]:
    """Return microseconds that Redis spent on commands so far, by what they are for."""
    spent: dict[str, float] = {}
    for name, figures in found.redis().info("commandstats").items():
        command = name.removeprefix("cmdstat_").partition("|")[0]
        kind = "scripts of the ledger" if command in {"evalsha", "eval", "script"} else "other commands"
        # A script's own commands are listed too, and their time is in the script's.
        if kind == "scripts of the ledger" or command in {"brpop", "lpush", "publish", "info", "llen"}:
            spent[kind] = spent.get(kind, 0) + figures["usec"]
    return spent


def budget(found: Servers, messages: int) -> Report:
    """Deliver a batch and return microseconds a message, by process and part."""
    found.reset()
    environ = {**found.environment(), **NOT_COMPILED.environ}
    produced = produce(NOT_COMPILED.producer, environ, messages, NOT_COMPILED.home)
    (command,) = NOT_COMPILED.workers
    with started(command, environ, found.directory / "worker.log", NOT_COMPILED.home) as worker:
        begin = first_delivery(found, [worker.pid])
        seconds, scripts = worker_seconds(worker.pid), commands(found)
        with sampled(found, worker.pid) as samplings:
            await_deliveries(found, messages * 2)
            end = Reading.take(found, [worker.pid])
            seconds, scripts = minus(worker_seconds(worker.pid), seconds), minus(commands(found), scripts)
        samples: Counter[str] = Counter()
        for sampling in samplings:
            if sampling.path.exists():  # where py-spy may not look into other processes there is none
                samples += parted(sampling.path.read_text(encoding="utf-8").splitlines())
    rate, cpu = end.since(begin)
    number = (end.delivered - begin.delivered) / 2
    python = seconds.pop("python") / number * 1e6
    samples = samples or Counter({_UNSEEN: 1})
    parts = {part: python * count / samples.total() for part, count in samples.items()}
    parts |= {part: used / number * 1e6 for part, used in seconds.items()}
    share = min(1.0, cpu["redis"] * number / sum(scripts.values()))
    redis = {part: share * spent / number for part, spent in scripts.items()}
    redis["sockets, parsing, append-only file"] = round(cpu["redis"] - sum(redis.values()), 3)
    return {
        "messages": messages,
        "deliver": four(rate),
        "samples": samples.total(),
        "parts": {
            "producer": {"accepting": four(produced.cpu / messages * 1e6)},
            "workers": ordered(parts),
            "redis": ordered(redis),
            "gateway": {"the simulator": four(cpu["gateway"])},
        },
    }


def minus(later: Mapping[str, float], earlier: Mapping[str, float]) -> dict[str, float]:
    """Return what was added between two readings."""
    return {name: value - earlier.get(name, 0) for name, value in later.items()}


def ordered(parts: Mapping[str, float]) -> dict[str, float]:
    """Return parts to four figures, the largest first."""
    return {part: four(value) for part, value in sorted(parts.items(), key=lambda one: -one[1])}


def chart(report: Report) -> str:
    """Return microseconds a message of each part."""
    rows = [
        charts.Bar(part, value, (value, value), f"{value:,.1f} us, {process}", process == "workers")
        for process, parts in report["parts"].items()
        for part, value in parts.items()
    ]
    return charts.bars("Where each microsecond of a message goes", report["machine"], rows)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--messages", type=int, default=100_000)


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    with servers() as found:
        os.environ.update(found.environment())
        return {"machine": machine(NOT_COMPILED.home), **budget(found, given.messages)}
