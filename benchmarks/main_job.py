"""Batch accept and deliver, beside an idiomatic Celery version of the same job in the same run.

    python benchmarks/main_job.py --rounds 3

Rounds alternate between the two systems on the same Valkey (AOF, everysec) and the same gateway simulator. A round
first accepts everything with no worker running, then starts the workers and times from the first delivery to the last.
A run in which any delivery is missing or doubled is void.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import uvloop

from api_adapter.wiring import front
from benchmarks.stack import Servers, running, servers
from worker.bootstrap import Services, stores
from worker.contract.messages import Lane
from worker.contract.templates import Content, TemplateDefinition
from worker.contract.users import SEND_SCOPE, GatewayRoute, TokenGrant, User, Wallet
from worker.settings import read_settings

CHILDREN = 2
RESULTS = Path(__file__).parent / "results" / "main_job.json"
_CHUNK = 4_000
_GLANCE = 0.02
_PATIENCE = 300


@dataclass(frozen=True)
class Round:
    """What one round measured, in messages per second; one message is two deliveries."""

    accept: float
    deliver: float
    calls: int


def bodies(number: int) -> list[bytes]:
    """Return sends with requestIds of their own."""
    run = time.time_ns()
    return [
        orjson.dumps(
            {
                "appId": "bench-app",
                "accessToken": f"token-{index % 1000}",
                "requestId": f"{run}-{index:07d}",
                "templateCode": "TP_BENCH",
                "redirectUrl": "/orders/1",
                "templates": [
                    {"language": "en-US", "templateParameters": {"who": f"customer {index}", "amount": "$12.50"}},
                ],
            },
        )
        for index in range(number)
    ]


def idiomatic_round(found: Servers, number: int) -> Round:
    """Measure idiomatic Celery."""
    os.environ.update(found.environment())
    from benchmarks import idiomatic_celery  # noqa: PLC0415 - reads the environment as such modules do

    sends = bodies(number)
    started = time.perf_counter()
    for body in sends:
        idiomatic_celery.accept(body)
    accept = number / (time.perf_counter() - started)
    command = ["-m", "celery", "-A", "benchmarks.idiomatic_celery", "worker", f"-c{CHILDREN}", "--loglevel=WARNING"]
    return Round(accept, *deliver(found, number, command))


def tidings_round(found: Servers, number: int) -> Round:
    """Measure tidings."""
    os.environ.update(found.environment())
    accept = uvloop.run(tidings_accept(found, number))
    command = ["-m", "celery", "-A", "worker", "worker", f"-c{CHILDREN}", "--loglevel=WARNING"]
    return Round(accept, *deliver(found, number, command))


async def tidings_accept(found: Servers, number: int) -> float:
    """Put what sends need and accept them in batches; return messages per second."""
    settings = read_settings()
    with stores(settings) as addresses:
        async with front(settings, addresses) as opened:
            await opened.services.ledger.open()
            await _put_samples(opened.services, found)
            sends = bodies(number)
            started = time.perf_counter()
            for start in range(0, number, _CHUNK):
                answers = await opened.intake.take({"client-id": "bench"}, sends[start : start + _CHUNK], Lane.BULK)
                refused = [answer for answer in answers if answer.result.status != "S"]
                if refused:
                    raise RuntimeError(refused[0])
            return number / (time.perf_counter() - started)


async def _put_samples(services: Services, found: Servers) -> None:
    text = Content(title="Payment", body="Hello, ${who}, your payment of ${amount} has arrived")
    contents = {"en-US": {"PUSH": text, "INBOX": text}}
    definition = {"code": "TP_BENCH", "channels": ("PUSH", "INBOX"), "default_language": "en-US", "contents": contents}
    await services.templates.put(TemplateDefinition.model_validate(definition))
    await services.wallets.put(Wallet("BENCH", (GatewayRoute("simulator", found.gateway_url),)))
    grants = [
        (f"token-{index}", TokenGrant(User(f"customer-{index}", "BENCH"), "bench-app", frozenset({SEND_SCOPE}), None))
        for index in range(1000)
    ]
    await services.users.put(grants)


def deliver(found: Servers, number: int, worker: list[str]) -> tuple[float, int]:
    """Start the workers and wait until every message is delivered twice over; return messages per second and calls."""
    wanted = number * 2
    with running([sys.executable, *worker], found, "worker"):
        while not (first := found.counts()["delivered"]):
            time.sleep(_GLANCE)
        started = time.perf_counter()
        while (counts := found.counts())["delivered"] < wanted:
            if time.perf_counter() - started > _PATIENCE:
                raise TimeoutError(counts)
            time.sleep(_GLANCE)
        seconds = time.perf_counter() - started
    counts = found.counts()
    if counts["deliveredTwice"] or counts["delivered"] != wanted:
        raise RuntimeError(f"void: {counts}")
    return (wanted - first) / 2 / seconds, counts["calls"]


def measure(rounds: int, ours: int, theirs: int, appendfsync: str) -> dict[str, list[Round]]:
    """Run alternating rounds and return each system's."""
    systems: dict[str, tuple[Callable[[Servers, int], Round], int]] = {
        "idiomatic Celery": (idiomatic_round, theirs),
        "tidings": (tidings_round, ours),
    }
    measured: dict[str, list[Round]] = {name: [] for name in systems}
    with servers(appendfsync) as found:
        for turn in range(rounds):
            for name, (system, number) in systems.items():
                found.reset()
                result = system(found, number)
                measured[name].append(result)
                print(f"round {turn + 1}  {name:17} accept {result.accept:8,.0f}/s  deliver {result.deliver:8,.0f}/s")
    return measured


def main() -> None:
    """Measure, print medians and ratios, and write benchmarks/results/main_job.json."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--messages", type=int, default=40_000, help="per round of tidings")
    options.add_argument("--peer-messages", type=int, default=2_000, help="per round of idiomatic Celery")
    options.add_argument("--appendfsync", choices=["everysec", "always"], default="everysec")
    given = options.parse_args()
    measured = measure(given.rounds, given.messages, given.peer_messages, given.appendfsync)
    medians = {
        name: {key: statistics.median(getattr(one, key) for one in results) for key in ("accept", "deliver")}
        for name, results in measured.items()
    }
    ours, theirs = medians["tidings"], medians["idiomatic Celery"]
    report = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "appendfsync": given.appendfsync,
        "medians": medians,
        "rounds": {name: [asdict(one) for one in results] for name, results in measured.items()},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n")
    print(f"accept  {ours['accept']:,.0f}/s, {ours['accept'] / theirs['accept']:.1f}x idiomatic Celery")
    print(f"deliver {ours['deliver']:,.0f}/s, {ours['deliver'] / theirs['deliver']:.1f}x idiomatic Celery")


if __name__ == "__main__":
    main()
