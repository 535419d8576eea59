"""`python -m benchmarks NAME`: one benchmark, or all; each writes its JSON, its chart and the documents' tables."""

import argparse
from pathlib import Path
from types import ModuleType

from benchmarks import documents, smoke
from benchmarks.catalogue import BENCHMARKS
from benchmarks.results_file import leave, machine


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = options.add_subparsers(dest="command", required=True)
    for name, module in BENCHMARKS.items():
        one = commands.add_parser(name, help=summary(module), description=module.__doc__)
        one.add_argument("--into", type=Path, help="write JSON and chart there and leave the documents alone")
        module.add_options(one)
    smoke.add_options(commands.add_parser("smoke", help=summary(smoke)))
    commands.add_parser("all", help="Every benchmark with its defaults, one after another")
    commands.add_parser("render", help="Write the tables of the documents anew from the JSON files")
    return options


def summary(module: ModuleType) -> str:
    """Return the first line of a module's docstring."""
    return (module.__doc__ or "").splitlines()[0]


def run(name: str, given: argparse.Namespace) -> None:
    """Run a benchmark and leave what it found."""
    print(f"== {name}", flush=True)
    benchmark = BENCHMARKS[name]
    report = {"machine": machine(), **benchmark.measure(given)}
    leave(benchmark.NAME, report, benchmark.chart, given.into)
    print({key: value for key, value in report.items() if key != "line"}, flush=True)


def main() -> None:
    """Run what was asked for."""
    options = parser()
    given = options.parse_args()
    if given.command == "smoke":
        smoke.measure(given)
    elif given.command == "all":
        for name in BENCHMARKS:
            run(name, options.parse_args([name]))
        documents.render()
    elif given.command == "render":
        documents.render()
    else:
        run(given.command, given)
        if given.into is None:
            documents.render()


if __name__ == "__main__":
    main()
