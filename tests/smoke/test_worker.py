"""A worker's life, through pytest-celery: delivers, dies, comes back, stops."""

import time
from contextlib import suppress

import redis
from pytest_celery import CeleryTestNode, CeleryTestSetup

from tests.smoke.merchant import Account, Merchant
from tests.stacks import wait_until
from worker.contract.messages import Lane

LOAD = 200
ALL_DELIVERED = Account(delivered=LOAD, shown=2 * LOAD, shown_twice=0, balanced=True)
SLOW = "slow-250"
"""Users see a message at once, the worker hears of it 250 ms later."""


def until_in_the_middle(merchant: Merchant) -> None:
    merchant.until_shown(LOAD // 5)
    assert merchant.shown() < LOAD


def test_what_is_accepted_is_delivered(celery_setup: CeleryTestSetup, merchant: Merchant) -> None:
    merchant.send(1, Lane.SINGLE)
    merchant.send(19)

    assert merchant.account() == Account(delivered=20, shown=40, shown_twice=0, balanced=True)
    (name,) = celery_setup.app.control.inspect(timeout=10, limit=1).ping()
    assert name.startswith(f"{celery_setup.worker.worker_name}@")


def test_a_worker_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    celery_setup: CeleryTestSetup, merchant: Merchant
) -> None:
    merchant.behave(SLOW)
    merchant.send(LOAD)
    until_in_the_middle(merchant)

    celery_setup.worker.kill()
    celery_setup.worker.restart()

    assert merchant.account() == ALL_DELIVERED
    assert sum(outcome.crashes for outcome in merchant.outcomes()) > 0


def test_a_worker_stopped_in_the_middle_ends_soon_and_hands_on_what_it_did_not_send(
    celery_setup: CeleryTestSetup, merchant: Merchant
) -> None:
    merchant.behave(SLOW)
    merchant.send(LOAD)
    until_in_the_middle(merchant)

    started = time.monotonic()
    celery_setup.worker.kill("SIGTERM")
    celery_setup.worker.wait_for_log('"event": "drained"')
    wait_until(lambda: _has_ended(celery_setup), "the worker's end")
    took, left = time.monotonic() - started, 2 * LOAD - merchant.shown()
    celery_setup.worker.restart()

    assert merchant.account() == ALL_DELIVERED
    assert left > 0
    # Far below the 30 s for which Celery's children wait for a parent that reads no results any more.
    assert took < 20
    assert merchant.repeated_calls() == 0
    assert sum(outcome.crashes for outcome in merchant.outcomes()) == 0


def _has_ended(setup: CeleryTestSetup) -> bool:
    setup.worker.container.reload()
    return bool(setup.worker.container.status == "exited")


def test_a_worker_goes_on_after_its_broker_was_killed_while_idle(
    celery_setup: CeleryTestSetup, merchant: Merchant
) -> None:
    merchant.send(1)
    merchant.until_settled()

    kill_and_restart(celery_setup.broker)
    until_it_consumes(celery_setup)
    merchant.send(20)

    assert merchant.account() == Account(delivered=21, shown=42, shown_twice=0, balanced=True)


def test_a_worker_goes_on_after_its_broker_was_killed_under_load(
    celery_setup: CeleryTestSetup, merchant: Merchant
) -> None:
    merchant.behave(SLOW)
    merchant.send(LOAD)
    until_in_the_middle(merchant)

    kill_and_restart(celery_setup.broker)
    until_it_consumes(celery_setup)

    assert merchant.account() == ALL_DELIVERED


def test_a_worker_goes_on_after_its_ledger_was_killed_under_load(
    celery_setup: CeleryTestSetup, merchant: Merchant
) -> None:
    merchant.behave(SLOW)
    merchant.send(LOAD)
    until_in_the_middle(merchant)

    kill_and_restart(celery_setup.backend)

    assert merchant.account() == ALL_DELIVERED


def kill_and_restart(server: CeleryTestNode) -> None:
    """Kill a Valkey and start it again on its data; return once it answers."""
    server.kill()
    server.restart()

    def answers() -> bool:
        with suppress(redis.RedisError), server.container.client as client:
            return bool(client.ping())
        return False

    wait_until(answers, "Valkey answers")


def until_it_consumes(setup: CeleryTestSetup) -> None:
    """Wait until the worker answers over the broker again: within the 10 s that are promised."""

    def answers() -> bool:
        with suppress(redis.RedisError):  # the test's own connections were broken, too
            return bool(setup.app.control.inspect(timeout=1, limit=1).ping())
        return False

    wait_until(answers, "the worker's answer", 10)
