"""How many times idiomatic Celery, in small: a ratio of medians, since machines differ."""

import argparse
import statistics
import sys

from benchmarks.main_job import take_turns
from benchmarks.systems import CELERY, TWENTY

FLOOR = 25.0
"""The least ratio that passes."""


def add_options(options: argparse.ArgumentParser) -> None:
    """Add this benchmark's options."""
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--scale", type=float, default=0.7, help="share of the usual number of messages a round")
    options.add_argument("--floor", type=float, default=FLOOR, help="exit with 1 below this ratio")


def measure(given: argparse.Namespace) -> None:
    """Measure both; the last line is the ratio. Exits with 1 below the floor, or if any round is void."""
    standings = take_turns([CELERY, TWENTY], given.rounds, given.scale)
    if any(standing.void for standing in standings.values()):
        sys.exit("a round is void: see above")
    theirs, ours = (
        statistics.median(one.deliver for one in standings[system.name].rounds) for system in (CELERY, TWENTY)
    )
    print(f"deliver {ours / theirs:.1f}x idiomatic Celery, median of {given.rounds}")
    if ours / theirs < given.floor:
        sys.exit(1)
