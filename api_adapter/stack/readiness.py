"""How a starter learns that something of its stack serves."""

import asyncio
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from pyreqwest.client import Client
from pyreqwest.exceptions import PyreqwestError

from api_adapter.stack.exchanges import exchange, http_client

_OK = 200
_REDIS_PORT = 6379
_WORKER_READY = re.compile(rb"\S+@\S+ ready\.")
"""Celery's own line at level info, once its children run and it consumes."""


async def serves(client: Client, url: str) -> bool:
    """Tell whether a GET of the URL is answered with 200."""
    try:
        status, _ = await exchange(client.get(url))
    except PyreqwestError:
        return False
    return status == _OK


async def simulates(url: str) -> bool:
    """Tell whether a gateway simulator answers at a URL."""
    async with http_client() as client:
        return await serves(client, f"{url}/counts")


async def consumes(log: Path) -> bool:
    """Tell whether a worker's log says that it takes hints."""
    return _has_line(log, _WORKER_READY)


async def listens(url: str) -> bool:
    """Tell whether somebody takes connections at a URL's host and port; a Redis URL may leave the port out."""
    parts = urlsplit(url)
    with suppress(OSError):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port or _REDIS_PORT)
        writer.close()
        return True
    return False


def _has_line(log: Path, wanted: re.Pattern[bytes]) -> bool:
    return wanted.search(log.read_bytes()) is not None
