"""Accept and deliver: the same job on tidings and on each peer, in the same run.

Rounds take turns between the systems, on one Valkey (AOF, everysec; a second one with `always` for that row) and one
gateway simulator. How a round is played and what makes it void: `benchmarks.rounds`.
"""

import argparse
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks import charts
from benchmarks.results_file import Report, four, spread
from benchmarks.rounds import Round, VoidError, play
from benchmarks.stack import ROOT, servers
from benchmarks.systems import CELERY, OURS, PEERS, System

NAME = "main_job"
_PACKAGES = {"celery", "dramatiq", "taskiq", "taskiq-redis", "saq", "arq"}


@dataclass
class Standing:
    """What the rounds of one system gave so far."""

    rounds: list[Round] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    """Why rounds don't count."""


def take_turns(systems: Sequence[System], rounds: int, scale: float) -> dict[str, Standing]:
    """Play interleaved rounds; return each system's."""
    standings = {system.name: Standing() for system in systems}
    with contextlib.ExitStack() as stack:
        stacks = {fsync: stack.enter_context(servers(fsync)) for fsync in sorted({one.appendfsync for one in systems})}
        for turn in range(rounds):
            for system in systems:
                standing = standings[system.name]
                try:
                    result = play(system, stacks[system.appendfsync], max(int(system.messages * scale), 100))
                except VoidError as error:
                    standing.void.append(str(error))
                    print(f"round {turn + 1}  {system.name:22} VOID: {error}", flush=True)
                else:
                    standing.rounds.append(result)
                    print(f"round {turn + 1}  {system.name:22} {told(result)}", flush=True)
    return standings


def told(result: Round) -> str:
    """Return a round as a line."""
    cpu = "  ".join(f"{name} {used:,.0f}" for name, used in result.cpu.items())
    repeats = f"  {result.repeats} repeated" if result.repeats else ""
    return f"accept {result.accept:8,.0f}/s  deliver {result.deliver:8,.0f}/s  CPU us a message: {cpu}{repeats}"


def report_of(system: System, standing: Standing, scale: float) -> Report:
    """Return medians and spread of one system's rounds; only what is void if none counts."""
    report: Report = {"messages": int(system.messages * scale), "appendfsync": system.appendfsync}
    report |= {"void": standing.void, "rounds": len(standing.rounds)}
    if not standing.rounds:
        return report
    return report | {
        "accept": spread(one.accept for one in standing.rounds),
        "deliver": spread(one.deliver for one in standing.rounds),
        "cpu_us": {name: spread(one.cpu[name] for one in standing.rounds) for name in standing.rounds[0].cpu},
        "repeats": [one.repeats for one in standing.rounds],
        "calls_a_message": four(sum(one.calls for one in standing.rounds) / len(standing.rounds) / report["messages"]),
    }


def versions() -> dict[str, str]:
    """Return the versions of the peers, from their lock files."""
    locks = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("requirements-bench*.lock"))
    pins = dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", locks, re.MULTILINE))
    return {name: pins[name] for name in sorted(_PACKAGES)}


def chart(report: Report) -> str:
    """Return the chart of the README."""
    measured = {name: system for name, system in report["systems"].items() if "deliver" in system}
    base = measured.get(CELERY.name)
    bars = [
        charts.Bar(
            name,
            system["deliver"]["median"],
            (system["deliver"]["min"], system["deliver"]["max"]),
            f"{system['deliver']['median']:,.0f}/s"
            + (f", {system['deliver']['median'] / base['deliver']['median']:.1f}x" if base else ""),
            name.startswith("tidings"),
        )
        for name, system in measured.items()
    ]
    return charts.bars("Messages delivered to both channels, a second", report["machine"], bars)


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--scale", type=float, default=1.0, help="share of the usual number of messages a round")
    names = [system.name for system in (*PEERS, *OURS)]
    options.add_argument("--systems", nargs="+", choices=names, metavar="NAME", help=f"only these: {', '.join(names)}")


def measure(given: argparse.Namespace) -> Report:
    """Measure; return the report."""
    chosen = [system for system in (*PEERS, *OURS) if not given.systems or system.name in given.systems]
    standings = take_turns(chosen, given.rounds, given.scale)
    return {
        "versions": versions(),
        "systems": {one.name: report_of(one, standings[one.name], given.scale) for one in chosen},
    }
