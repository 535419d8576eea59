"""The systems that do the main job: how each accepts, how its workers are run, how its outcomes are counted."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.producing import TIDINGS_PRODUCER
from benchmarks.stack import COMPILED, ROOT, Servers, product
from worker.bootstrap import Addresses, services
from worker.contract.messages import Channel
from worker.settings import read_settings

PROCESSES = 2
"""Worker processes of each system."""
_PAGE = 1_000


@dataclass(frozen=True)
class System:
    """One way to do the main job."""

    name: str
    producer: tuple[str, ...]
    """Command that accepts as many messages as its last argument says, prints `Produced`."""
    workers: tuple[tuple[str, ...], ...]
    """Commands that together run PROCESSES worker processes."""
    delivered: Callable[[Servers], int]
    """Counts messages whose outcome is recorded as S for both channels."""
    messages: int
    """How many a round sends: some seconds of work."""
    environ: Mapping[str, str] = field(default_factory=dict)
    appendfsync: str = "everysec"
    home: Path | None = None
    """Directory that its processes run from, if not that of the product."""


def tidings(name: str, messages: int, environ: Mapping[str, str] | None = None, fsync: str = "everysec") -> System:
    """Return tidings with some settings of its own."""
    return System(
        name,
        TIDINGS_PRODUCER,
        (tidings_worker(PROCESSES),),
        tidings_delivered,
        messages,
        environ or {},
        fsync,
    )


def tidings_worker(processes: int) -> tuple[str, ...]:
    """Return the command of a worker of so many processes."""
    return (sys.executable, "-m", "celery", "-A", "worker", "worker", f"-c{processes}", "--loglevel=WARNING")


def tidings_delivered(found: Servers) -> int:
    """Return how many messages the ledger's counters say are S in both channels."""

    async def count() -> int:
        async with services(read_settings(), Addresses(found.redis_url, found.redis_url)) as opened:
            tallies = await opened.records.tallies()
        return min(sum(tally.S for (_, of), tally in tallies.items() if of is channel) for channel in Channel)

    return asyncio.run(count())


def peer_delivered(found: Servers) -> int:
    """Return how many messages a peer noted as S."""
    store = found.redis()
    keys = list(store.scan_iter("message:*", count=_PAGE))
    pages = [keys[start : start + _PAGE] for start in range(0, len(keys), _PAGE)]
    return sum(state == b"S" for page in pages for state in store.mget(page))


def _peer(name: str, module: str, workers: list[list[str]], messages: int, venv: str = ".venv-bench") -> System:
    python = str(ROOT / venv / "bin" / "python")
    return System(
        name,
        (python, "-m", "benchmarks.peers.producer", module),
        tuple((python, "-m", *command) for command in workers),
        peer_delivered,
        messages,
    )


OLDER_REDIS = ".venv-bench-older-redis"
JOBS = "benchmarks.peers"

CELERY = _peer(
    "idiomatic Celery",
    "celery_job",
    [["celery", "-A", f"{JOBS}.celery_job", "worker", f"-c{PROCESSES}", "--loglevel=WARNING"]],
    2_000,
)
DRAMATIQ = _peer(
    "dramatiq", "dramatiq_job", [["dramatiq", "--processes", str(PROCESSES), f"{JOBS}.dramatiq_job"]], 3_000
)
TASKIQ = _peer(
    "taskiq",
    "taskiq_job",
    [["taskiq", "worker", "--workers", str(PROCESSES), "--log-level", "WARNING", f"{JOBS}.taskiq_job:broker"]],
    6_000,
)
SAQ = _peer(
    "saq", "saq_job", [["saq", f"{JOBS}.saq_job.settings", "--workers", str(PROCESSES), "--quiet"]], 6_000, OLDER_REDIS
)
ARQ = _peer("arq", "arq_job", [["arq", f"{JOBS}.arq_job.WorkerSettings"]] * PROCESSES, 4_000, OLDER_REDIS)
PEERS = (CELERY, DRAMATIQ, ARQ, SAQ, TASKIQ)

TWENTY = tidings("tidings", 100_000)
ONE = tidings("tidings, 1 a call", 50_000, {"TIDINGS_CALL_SIZE": "1"})
ALWAYS = tidings("tidings, fsync always", 100_000, fsync="always")
NOT_COMPILED = replace(TWENTY, name="tidings, not compiled", environ={"PYTHONPATH": str(ROOT)}, home=ROOT)
OURS = (TWENTY, ONE, ALWAYS, *([NOT_COMPILED] if product() == COMPILED else []))
