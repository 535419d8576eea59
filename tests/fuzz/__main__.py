"""`make fuzz`: at least 100,000 inputs against real servers over real sockets. The last line says what came of it."""

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from tests.fuzz.exploring import Exploration
from tests.fuzz.running import Outcome, play
from tests.fuzz.stage import Served, stage
from tests.servers import valkey

MIB = 1 << 20
BOUND = 64
"""MiB by which the memory of both servers may grow in all, once they are warm."""
_INPUTS = 100_000
_EXPLORED = 1_500
"""Requests that Schemathesis makes beside the inputs: it takes a hundred times as long for each."""


def main() -> int:
    """Return 0 where nothing was found."""
    wanted = _arguments()
    seed = secrets.randbelow(1 << 32) if wanted.seed is None else wanted.seed
    _say(f"seed {seed}; play it again with: make fuzz ARGS='--seed {seed} --inputs {wanted.inputs}'")
    with tempfile.TemporaryDirectory(prefix="tidings-fuzz-") as place, valkey(Path(place) / "store") as store:
        store.start("--appendfsync", "no")
        with stage(store.url, Path(place)) as servers:
            explored = Exploration(servers[0].api, seed)
            if wanted.only is None and wanted.explored:
                _say(f"Schemathesis makes about {wanted.explored:,} requests first ...")
                explored.run(wanted.explored)
            return _conclude(_play(servers, wanted, seed), explored, servers, seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=_INPUTS, help=f"how many; default: {_INPUTS:,}")
    parser.add_argument("--explored", type=int, default=_EXPLORED, help=f"by Schemathesis; default: {_EXPLORED:,}")
    parser.add_argument("--seed", type=int, help="what chance starts from; default: another one each time")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one input, by its number")
    return parser.parse_args()


def _play(servers: list[Served], wanted: argparse.Namespace, seed: int) -> Outcome:
    targets = [server.target(seed) for server in servers]
    for target, server in zip(targets, servers, strict=True):
        _say(f"{server.name} server, {len(target.inputs.operations)} operations")
    numbers = range(wanted.inputs) if wanted.only is None else [wanted.only]
    return asyncio.run(play(targets, numbers, lambda now, took: _tell(now, len(numbers), took)))


def _say(text: str) -> None:
    sys.stdout.write(f"fuzz: {text}\n")
    sys.stdout.flush()


def _tell(outcome: Outcome, inputs: int, took: float) -> None:
    rate = outcome.done / took
    left = (inputs - outcome.done) / rate if rate else 0
    _say(
        f"{outcome.done:,} of {inputs:,}, {rate:,.0f}/s, {left:,.0f} s left, findings {len(outcome.findings)}, "
        f"memory {outcome.growth / MIB:+.1f} MiB"
    )


def _conclude(outcome: Outcome, explored: Exploration, servers: list[Served], seed: int) -> int:
    for finding in outcome.findings:
        given = finding.input
        _say(f"FOUND by input {given.number} ({given.operation}): {finding.fault}\n  {given.raw[:1_000]!r}")
        _say(f"again: make fuzz ARGS='--seed {seed} --only {given.number}'")
    for fault in explored.faults:
        _say(f"FOUND by Schemathesis: {fault}")
    complaints = [f"{server.name}: {line}" for server in servers for line in server.complaints]
    for line in complaints[:20]:
        _say(f"LOGGED {line[:600]}")
    statuses = ", ".join(f"{status}: {number:,}" for status, number in sorted(outcome.statuses.items()))
    _say(f"answers by HTTP status: {statuses}")
    failed = bool(outcome.findings or explored.faults or complaints or outcome.growth > BOUND * MIB)
    others = len(outcome.findings) - outcome.number_of("5xx") - outcome.number_of("hang") + len(explored.faults)
    _say(
        f"{outcome.done + explored.done:,} inputs, 5xx {outcome.number_of('5xx')}, hangs {outcome.number_of('hang')}, "
        f"other faults {others}, errors logged {len(complaints)}, server memory {outcome.growth / MIB:+.1f} MiB "
        f"(bound {BOUND}), seed {seed}: {'FAILED' if failed else 'ok'}"
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
