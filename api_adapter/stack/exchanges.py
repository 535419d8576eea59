"""HTTP calls to this machine's own servers."""

from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.request import RequestBuilder

from api_adapter.cancellation import cancellation_heeded

_PATIENCE = 2.0


def http_client(patience: float = _PATIENCE) -> Client:
    """Return a client that waits so many seconds for an answer; close it."""
    return ClientBuilder().timeout(timedelta(seconds=patience)).no_proxy().build()


async def exchange(request: RequestBuilder) -> tuple[int, bytes]:
    """Send a request; return the answer's status and body, or raise what pyreqwest raises."""
    with cancellation_heeded():
        response = await request.build().send()
        return response.status, bytes(await response.bytes())
