"""`python -m benchmarks NAME`: one benchmark, or all; each writes its JSON, its chart and the documents' tables."""

import argparse

from benchmarks import backlog, documents, fairness, gateway_limit, latency, lookup, main_job, scaling, smoke

BENCHMARKS = {
    "gateway": gateway_limit,
    "main": main_job,
    "scaling": scaling,
    "fairness": fairness,
    "latency": latency,
    "backlog": backlog,
    "lookup": lookup,
}
"""What `all` runs, in this order."""


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = options.add_subparsers(dest="command", required=True)
    for name, module in {**BENCHMARKS, "smoke": smoke}.items():
        module.add_options(commands.add_parser(name, help=(module.__doc__ or "").splitlines()[0]))
    commands.add_parser("all", help="Every benchmark with its defaults, one after another")
    commands.add_parser("render", help="Write the tables of the documents anew from the JSON files")
    return options


def main() -> None:
    """Run what was asked for."""
    options = parser()
    given = options.parse_args()
    if given.command == "smoke":
        smoke.measure(given)
        return
    for name in BENCHMARKS if given.command == "all" else [given.command]:
        if name in BENCHMARKS:
            print(f"== {name}", flush=True)
            BENCHMARKS[name].measure(options.parse_args([name]) if given.command == "all" else given)
    documents.render()


if __name__ == "__main__":
    main()
