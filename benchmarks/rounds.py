"""One round of one system: accept everything with no worker running, start the workers, time them, prove the result.

Delivering is timed from the first delivery that is seen to the last, by what the gateway counts; so starting workers
costs nobody anything. A round in which any delivery is missing or came twice, or any outcome is not recorded, is void.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.producing import produce
from benchmarks.stack import Servers, cpu_seconds, started
from benchmarks.systems import System

_GLANCE = 0.02
_PATIENCE = 60
_OUTCOMES_PATIENCE = 30


class VoidError(Exception):
    """A round does not count; the text tells why."""


@dataclass(frozen=True)
class Round:
    """What one round measured; one message is two deliveries."""

    accept: float
    """Messages a second."""
    deliver: float
    """Messages a second."""
    calls: int
    """Wallet calls."""
    repeats: int
    """Times that the gateway was asked for what it had delivered; it honours the messageId, so nobody saw it twice."""
    cpu: dict[str, float]
    """CPU microseconds a message, by process: producer, workers, redis, gateway; the last three while delivering."""


@dataclass(frozen=True)
class Reading:
    """What is known at one instant while workers run."""

    at: float
    delivered: int
    """Deliveries."""
    cpu: dict[str, float]
    """Seconds so far."""

    @classmethod
    def take(cls, found: Servers, pids: list[int]) -> "Reading":
        """Read the gateway's count and the CPU times of everybody."""
        cpu = {
            "workers": sum(map(cpu_seconds, pids)),
            "redis": cpu_seconds(found.redis_pid),
            "gateway": cpu_seconds(found.gateway_pid),
        }
        return cls(time.perf_counter(), found.counts()["delivered"], cpu)

    def since(self, start: "Reading") -> tuple[float, dict[str, float]]:
        """Return messages a second, and CPU microseconds a message by process."""
        messages = max((self.delivered - start.delivered) / 2, 1)
        used = {name: (self.cpu[name] - start.cpu[name]) / messages * 1e6 for name in self.cpu}
        return messages / (self.at - start.at), used


def play(system: System, found: Servers, number: int) -> Round:
    """Do the main job once. Raises VoidError if it was not done as it must be."""
    found.reset()
    environ = {**found.environment(), **system.environ}
    try:
        produced = produce(system.producer, environ, number, system.home)
    except RuntimeError as error:
        raise VoidError(f"not accepted: {error}") from error
    with running(system, found, environ) as pids:
        begin = first_delivery(found, pids)
        await_deliveries(found, number * 2)
        rate, cpu = Reading.take(found, pids).since(begin)
        prove(system, found, number)
    cpu["producer"] = produced.cpu / number * 1e6
    counts = found.counts()
    return Round(number / produced.seconds, rate, counts["calls"], counts["repeatedCalls"], cpu)


@contextlib.contextmanager
def running(system: System, found: Servers, environ: dict[str, str]) -> Iterator[list[int]]:
    """Run the workers for as long as the block; give their process ids."""
    with contextlib.ExitStack() as stack:
        log = found.directory / f"{system.name}.log"
        workers = [stack.enter_context(started(command, environ, log, system.home)) for command in system.workers]
        yield [worker.pid for worker in workers]


def first_delivery(found: Servers, pids: list[int]) -> Reading:
    """Wait for the gateway to have something."""
    await_deliveries(found, 1)
    return Reading.take(found, pids)


def await_deliveries(found: Servers, number: int) -> dict[str, Any]:
    """Return the gateway's counts once it has delivered so many times. Raises VoidError after a long standstill."""
    seen, since = -1, time.monotonic()
    while (counts := found.counts())["delivered"] < number:
        if counts["delivered"] != seen:
            seen, since = counts["delivered"], time.monotonic()
        if time.monotonic() - since > _PATIENCE:
            raise VoidError(f"nothing more came after {seen} of {number} deliveries")
        time.sleep(_GLANCE)
    return counts


def prove(system: System, found: Servers, number: int) -> None:
    """Raise VoidError unless each message was delivered once to both channels, and every outcome is recorded."""
    deadline = time.monotonic() + _OUTCOMES_PATIENCE
    while (recorded := system.delivered(found)) < number and time.monotonic() < deadline:
        time.sleep(0.1)
    counts = found.counts()
    if recorded != number:
        raise VoidError(f"{recorded} outcomes of {number} recorded")
    if counts["deliveredKeys"] != number * 2 or counts["deliveredTwice"]:
        raise VoidError(f"not each message once: {counts}")
