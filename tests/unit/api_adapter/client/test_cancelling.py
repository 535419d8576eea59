"""A cancelled call ends, also where its server refuses it in the same moment."""

import asyncio
from collections import Counter

from api_adapter.client import Access, AsyncClient, Patience
from tests.servers import free_port

QUICK = Patience(total=5.0, first=0.000_1, longest=0.000_1)


async def cancelled_after(seconds: float, client: AsyncClient) -> str:
    task = asyncio.create_task(client.inquire("shop", "1"))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task], timeout=1.0)
    return "cancelled" if task.cancelled() else "went on"


def test_a_cancelled_call_does_not_try_again() -> None:
    async def main() -> Counter[str]:
        async with AsyncClient(Access(f"http://127.0.0.1:{free_port()}", "shop"), QUICK) as client:
            return Counter([await cancelled_after(0.003 + number / 20_000, client) for number in range(200)])

    assert asyncio.run(main()) == {"cancelled": 200}
