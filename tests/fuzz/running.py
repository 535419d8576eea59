"""Plays inputs against servers, many at once, and counts."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.exchanges import Connection
from tests.fuzz.inputs import Input, Inputs
from tests.fuzz.judging import faults

_AT_ONCE = 32
_WARM = 0.2
"""Share of the inputs after which the server's memory is looked at first: by then it has seen all there is."""
_MOST_FINDINGS = 20
_REPORT_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and what is written to it."""

    host: str
    port: int
    pid: int
    """Of the process that serves."""
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that a server did not treat as it must."""

    input: Input
    fault: str


@dataclass(slots=True)
class Outcome:
    """What became of all inputs."""

    done: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    warm: list[int] = field(default_factory=list)
    """Bytes of memory of each target after it was warmed up."""
    growth: int = 0
    """Bytes by which the memory of all targets grew since."""

    def number_of(self, kind: str) -> int:
        """Return how many findings are of a kind, such as `5xx`."""
        return sum(finding.fault.startswith(kind) for finding in self.findings)


async def play(targets: Sequence[Target], numbers: Sequence[int], told: Callable[[Outcome, float], None]) -> Outcome:
    """Write the inputs of these numbers, by turns to each target; tell of the progress now and then."""
    outcome, waiting = Outcome(), iter(numbers)
    begun = time.monotonic()

    async def caller() -> None:
        connections = [Connection(target.host, target.port) for target in targets]
        try:
            for number in waiting:
                place = number % len(targets)
                await _one(targets[place].inputs.make(number), connections[place], outcome)
                _look_at_memory(targets, outcome, len(numbers))
                if len(outcome.findings) >= _MOST_FINDINGS:
                    return
        finally:
            for connection in connections:
                await connection.close()

    async def teller() -> None:
        while True:
            await asyncio.sleep(_REPORT_EVERY)
            told(outcome, time.monotonic() - begun)

    telling = asyncio.create_task(teller())
    await asyncio.gather(*(caller() for _ in range(min(_AT_ONCE, len(numbers)))))
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    return outcome


async def _one(given: Input, connection: Connection, outcome: Outcome) -> None:
    became = await connection.exchange(given.raw, given.answers)
    outcome.done += 1
    outcome.statuses.update(answer.status for answer in became.answers)
    outcome.findings += [Finding(given, fault) for fault in faults(given, became)]


def _look_at_memory(targets: Sequence[Target], outcome: Outcome, inputs: int) -> None:
    if outcome.done >= inputs * _WARM and not outcome.warm:
        outcome.warm = [resident(target.pid) for target in targets]
    elif outcome.warm and (outcome.done % 500 == 0 or outcome.done == inputs):
        outcome.growth = sum(resident(target.pid) for target in targets) - sum(outcome.warm)


def resident(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096
