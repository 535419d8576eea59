import subprocess
import sys

import pytest

from tests.servers import free_port

ASKS = """
import asyncio, sys
from api_adapter.client import Access, AsyncClient, Patience, UnknownError

async def main():
    async with AsyncClient(Access(sys.argv[1], "shop"), Patience(total=1.0)) as client:
        await client.inquire("shop", "1")

try:
    asyncio.run(main())
except UnknownError:
    sys.exit(2)
"""


@pytest.mark.parametrize("_time", range(3))
def test_a_process_that_ends_with_its_last_failed_call_ends_in_order(_time: int) -> None:
    command = [sys.executable, "-c", ASKS, f"http://127.0.0.1:{free_port()}"]

    ended = subprocess.run(command, check=False, capture_output=True, text=True)

    assert (ended.returncode, ended.stderr) == (2, "")
