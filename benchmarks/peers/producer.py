"""Accepts sends through one peer: `python -m benchmarks.peers.producer celery_job 2000`, in the peer's environment.

Blocking libraries accept one after another, as one thread of an API would; asyncio ones 64 at a time. Prints what
`benchmarks.producing.Produced` reads.
"""

import asyncio
import importlib
import json
import sys
import time
from types import ModuleType

from benchmarks.bodies import bodies

_AT_ONCE = 64


def accept_each(peer: ModuleType, sends: list[bytes]) -> None:
    """Accept one after another."""
    for send in sends:
        peer.accept(send)


async def accept_side_by_side(peer: ModuleType, sends: list[bytes]) -> None:
    """Accept 64 at a time."""
    waiting = iter(sends)

    async def take() -> None:
        for send in waiting:
            await peer.accept(send)

    await asyncio.gather(*(take() for _ in range(_AT_ONCE)))


async def accept_in_loop(peer: ModuleType, sends: list[bytes]) -> dict[str, float]:
    """Accept everything by an asyncio library."""
    await peer.opened()
    started, cpu = time.perf_counter(), time.process_time()
    await accept_side_by_side(peer, sends)
    figures = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    await peer.closed()
    return figures


def main() -> None:
    """Accept and print how long it took."""
    name, number = sys.argv[1:]
    peer = importlib.import_module(f"benchmarks.peers.{name}")
    sends = bodies(int(number))
    if hasattr(peer, "opened"):
        figures = asyncio.run(accept_in_loop(peer, sends))
    else:
        started, cpu = time.perf_counter(), time.process_time()
        accept_each(peer, sends)
        figures = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
