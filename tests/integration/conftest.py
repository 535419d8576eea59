"""What tests over real sockets share."""

import asyncio

import pytest
import uvloop

from tests.http_calls import Play


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    """Run a story to its end, on asyncio's own event loop or on the workers'."""
    run: Play = request.param
    return run
