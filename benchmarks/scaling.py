"""1, 2, 4 and 8 worker processes against a gateway that takes 50 ms for each call.

So that the gateway and not the machine's cores is the limit, a process may have only two calls in flight: 20 messages
each, 20 times a second. What is measured is whether workers get into each other's way. The rate is that between a tenth
and nine tenths of the deliveries, so that neither the start nor the end of a run counts.
"""

import argparse
import time
from collections.abc import Sequence

from benchmarks import charts
from benchmarks.producing import bulk
from benchmarks.results_file import Report, four, spread
from benchmarks.rounds import await_deliveries
from benchmarks.stack import Servers, servers, started
from benchmarks.systems import tidings_worker

NAME = "scaling"
CALLS = 2
"""Calls in flight of one process."""
_MESSAGES_A_SECOND = 400
"""Of one process, if nothing but the gateway holds it back: 2 calls of 20 deliveries in 50 ms."""


def rate(found: Servers, processes: int, seconds: float) -> float:
    """Return messages a second of so many worker processes."""
    found.reset()
    number = int(_MESSAGES_A_SECOND * processes * seconds)
    bulk(found, number)
    found.behave("slow-50")
    environ = {**found.environment(), "TIDINGS_CALLS_PER_GATEWAY": str(CALLS)}
    with started(tidings_worker(processes), environ, found.directory / "worker.log"):
        await_deliveries(found, number // 5)
        begin, first = time.perf_counter(), int(found.counts()["delivered"])
        await_deliveries(found, number * 2 * 9 // 10)
        end, last = time.perf_counter(), int(found.counts()["delivered"])
        await_deliveries(found, number * 2)
    return (last - first) / 2 / (end - begin)


def chart(report: Report) -> str:
    """Return measured rates beside the line of one process times their number."""
    rows = report["processes"]
    alone = rows[0]["a_second"]["median"] / rows[0]["processes"]
    ticks = [row["processes"] for row in rows]
    lines = [
        charts.Line("measured", [(row["processes"], row["a_second"]["median"]) for row in rows], 0),
        charts.Line("one process times their number", [(number, alone * number) for number in ticks], 3),
    ]
    across = charts.Axis("worker processes", ticks=ticks)
    title = "Messages a second against a gateway that takes 50 ms"
    return charts.lines(title, report["machine"], across, charts.Axis("messages/s"), lines)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4, 8])
    options.add_argument("--seconds", type=float, default=10, help="of work for each number of processes")
    options.add_argument("--rounds", type=int, default=3)


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    rates: dict[int, list[float]] = {processes: [] for processes in given.processes}
    with servers() as found:
        for turn in range(given.rounds):
            for processes in given.processes:
                rates[processes].append(rate(found, processes, given.seconds))
                print(f"round {turn + 1}  {processes} processes  {rates[processes][-1]:8,.0f}/s", flush=True)
    return {"calls_in_flight": CALLS, "rounds": given.rounds, "processes": rows_of(rates)}


def rows_of(rates: dict[int, list[float]]) -> Sequence[Report]:
    """Return a row for each number of processes, with its share of what the first would give times their number."""
    medians = {processes: spread(found) for processes, found in rates.items()}
    (fewest, alone), *_ = medians.items()
    return [
        {
            "processes": processes,
            "a_second": found,
            "of_linear": four(found["median"] / processes / (alone["median"] / fewest)),
        }
        for processes, found in medians.items()
    ]
