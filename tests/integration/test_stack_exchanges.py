"""HTTP calls to a server that answers at once, or is not there: exactly where cancellations get lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import orjson
import pytest
from pyreqwest.exceptions import PyreqwestError

from api_adapter.stack.exchanges import exchange, http_client
from worker.adapters.gateways.simulator import Simulator

Listener = Callable[[], AbstractAsyncContextManager[str]]


@asynccontextmanager
async def a_server() -> AsyncIterator[str]:
    simulator = Simulator()
    port = await simulator.start()
    try:
        yield f"http://127.0.0.1:{port}/healthz"
    finally:
        await simulator.stop()


async def cancelled_after(seconds: float, url: str) -> str:
    """What becomes of a task that makes calls and is cancelled after so long."""

    async def calls() -> None:
        async with http_client() as client:
            for _ in range(1_000):
                with suppress(PyreqwestError):
                    await exchange(client.get(url))

    task = asyncio.create_task(calls())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])
    return "cancelled" if task.cancelled() else "went on"


def test_an_exchange_returns_status_and_body() -> None:
    async def main() -> tuple[int, bytes]:
        async with a_server() as url, http_client() as client:
            return await exchange(client.get(url))

    status, body = asyncio.run(main())

    assert (status, orjson.loads(body)) == (200, {"status": "ok"})


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    yield "http://127.0.0.1:1/healthz"


@pytest.mark.parametrize("listener", [a_server, nobody])
def test_a_cancelled_task_never_goes_on_with_its_next_call(listener: Listener) -> None:
    async def main() -> Counter[str]:
        async with listener() as url:
            return Counter([await cancelled_after(0.003 + number / 20_000, url) for number in range(200)])

    assert asyncio.run(main()) == {"cancelled": 200}
