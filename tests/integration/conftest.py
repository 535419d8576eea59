"""What tests over real sockets share."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from tests.http_calls import Play
from tests.names import Names
from worker.adapters import resolving


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Play:
    """Run a story to its end, on asyncio's own event loop or on the workers'."""
    run: Play = request.param
    return run


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    """What names lead to, in this process."""
    found = Names()
    monkeypatch.setattr(resolving, "look_up", found.look_up)
    yield found
    found.go.set()
