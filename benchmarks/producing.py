"""Has messages accepted by a process of its own, and learns what that cost."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.stack import Servers, product

TIDINGS_PRODUCER = (sys.executable, "-m", "benchmarks.tidings_producer")


class Produced(NamedTuple):
    """What accepting cost; a producer prints it as JSON."""

    seconds: float
    cpu: float
    """Seconds, of all threads of the producer."""


def produce(command: Sequence[str], environ: Mapping[str, str], number: int, home: Path | None = None) -> Produced:
    """Run a producer to its end, from the product's directory if none is named.

    Raises RuntimeError with what it said if it failed.
    """
    done = subprocess.run(
        [*command, str(number)], env=environ, cwd=home or product(), check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Produced(**json.loads(done.stdout.splitlines()[-1]))


def bulk(found: Servers, number: int, app: str = "bench-app") -> Produced:
    """Have one merchant's batch accepted by tidings."""
    return produce((*TIDINGS_PRODUCER, "--app", app), found.environment(), number)
