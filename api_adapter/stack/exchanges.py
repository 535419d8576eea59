"""HTTP calls to this machine's own servers."""

import asyncio
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.request import RequestBuilder

_PATIENCE = 2.0


def http_client(patience: float = _PATIENCE) -> Client:
    """Return a client that waits so many seconds for an answer; close it."""
    return ClientBuilder().timeout(timedelta(seconds=patience)).no_proxy().build()


async def exchange(request: RequestBuilder) -> tuple[int, bytes]:
    """Send a request; return the answer's status and body, or raise what pyreqwest raises.

    Of a task that is cancelled just as its answer arrives, pyreqwest forgets the cancellation: here it is raised.
    """
    response = await request.build().send()
    body = bytes(await response.bytes())
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return response.status, body
