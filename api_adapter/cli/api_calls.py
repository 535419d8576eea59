"""Calls of the API by a command: whoever waits is told why and for how long, and what to run again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api_adapter.cli.api_access import AGAIN
from api_adapter.cli.arguments import ArgumentError
from api_adapter.cli.printing import elapsed, harmless
from api_adapter.cli.saying import say_aside
from api_adapter.client import Access, AsyncClient, Pause, UnknownError
from worker.contract.errors import TidingsError


@asynccontextmanager
async def api_client(access: Access) -> AsyncIterator[AsyncClient]:
    """Give a client that says at once, on standard error, when it has to wait.

    Raises ArgumentError in place of UnknownError.
    """

    def tell(pause: Pause) -> None:
        again, left = (elapsed(int(seconds * 1000)) for seconds in (pause.seconds, pause.left))
        say_aside(f"{access.url}: {harmless(pause.why)} Asking again in {again}, for {left} at most; Ctrl-C is safe.")

    async with AsyncClient(access, waiting=tell) as client:
        try:
            yield client
        except UnknownError as error:
            raise ArgumentError(said(error)) from error


def said(error: TidingsError) -> str:
    """Return what is to be said of an error."""
    return f"{error.result.message} To go on {AGAIN}." if isinstance(error, UnknownError) else str(error)
