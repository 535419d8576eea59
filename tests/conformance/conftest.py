"""Every test here runs on each implementation of `ports.Ledger`: the model, and the one in a real Valkey."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.ledger_driver import LedgerDriver, OpenLedger, model, real
from worker.adapters.redis.limits import LedgerLimits


@pytest.fixture(params=["model", "valkey"])
def open_ledger(request: pytest.FixtureRequest) -> Iterator[OpenLedger]:
    """Give what opens an empty ledger with the limits that a test names."""
    with ExitStack() as stack:

        def open_one(shards: int = 1, **limits: int) -> LedgerDriver:
            chosen = LedgerLimits(**limits)
            if request.param == "model":
                return stack.enter_context(model(chosen, shards))
            return stack.enter_context(real(request.getfixturevalue("redis_url"), chosen, shards))

        yield open_one
