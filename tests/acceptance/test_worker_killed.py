"""Workers that die while they deliver: no message is lost, and the wallet shows none twice."""

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api_adapter.stack.ports import Wish, choose_ports
from tests.stacks import Command, children, get, post, running, tidings, wait_until
from worker.bootstrap import Services, services, stores
from worker.contract.identity import message_id
from worker.contract.outcomes import MessageOutcome, Tally
from worker.contract.users import GatewayRoute, Wallet
from worker.settings import Settings

MESSAGES = 200
DELIVERIES = 2 * MESSAGES
REQUEST_IDS = [f"bill-{number:03d}" for number in range(MESSAGES)]
SLOW = {"behaviour": "slow-250"}
"""The user sees a message at once, the worker hears of it 250 ms later."""
SETTINGS = {
    "api_port": 0,
    "gateway_port": 0,
    # Two calls of ten messages at a time: delivering takes long enough to die in the middle of it.
    "calls_per_gateway": 2,
    "call_size": 10,
    "call_timeout": 3_000,
    "lease": 1_500,
    "grace": 1_000,
    "sweep_interval": 250,
}
UP = "Ctrl-C stops it; the data is kept."


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def wallet_that_outlives_the_stack(directory: Path, *arguments: str) -> Iterator[str]:
    """A simulator of its own: what it counts holds over restarts of the stack."""
    [port] = choose_ports([Wish("127.0.0.1", 0, "")])
    with tidings(directory, "gateway", *arguments, gateway_port=port) as command:
        command.until_printed("gateway_simulator_ready")
        yield f"http://127.0.0.1:{port}"
        assert command.stopped_by(signal.SIGTERM) == 0


def send_all(command: Command) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda request_id: send(command, request_id), REQUEST_IDS))
    assert [answer["result"]["resultStatus"] for answer in answers] == ["S"] * MESSAGES


def send(command: Command, request_id: str) -> Any:  # noqa: ANN401 - an answer
    body = {
        "appId": "sandbox-app",
        "accessToken": "token-ann",
        "requestId": request_id,
        "templateCode": "PAYMENT_NOTICE",
        "redirectUrl": "/pages/1",
        "templates": [{"templateParameters": {"who": "Ann", "amount": "$1", "shop": "Bar", "time": "9:00"}}],
    }
    return post(f"{command.api}/v2/miniprogram/message/send", body)


def statuses(command: Command) -> list[str]:
    inquiry = {"appId": "sandbox-app", "requestIds": REQUEST_IDS}
    items = post(f"{command.api}/v2/miniprogram/message/batchInquiry", inquiry)["items"]
    return [item["status"] for item in items]


def until_in_the_middle(command: Command) -> None:
    wait_until(lambda: statuses(command).count("S") >= MESSAGES // 10, "the first deliveries")
    assert statuses(command).count("S") < MESSAGES // 2


def until_all_are_delivered(command: Command) -> None:
    wait_until(lambda: set(statuses(command)) == {"S"}, "all deliveries")


def in_services(data_dir: Path, wallet_url: str | None = None) -> tuple[list[MessageOutcome | None], list[Tally]]:
    """Return what the ledger knows; with a URL, the sandbox's wallet is found there from now on."""

    async def main(found: Services) -> tuple[list[MessageOutcome | None], list[Tally]]:
        if wallet_url:
            await found.wallets.put(Wallet("SANDBOX", (GatewayRoute("kept", wallet_url),)))
        outcomes = await found.records.find([message_id("sandbox-app", request_id) for request_id in REQUEST_IDS])
        return outcomes, list((await found.records.tallies()).values())

    async def opened(settings: Settings) -> tuple[list[MessageOutcome | None], list[Tally]]:
        with stores(settings) as addresses:
            async with services(settings, addresses) as found:
                return await main(found)

    return asyncio.run(opened(Settings.model_construct(data_dir=data_dir)))


def crashes(data_dir: Path) -> int:
    outcomes, _ = in_services(data_dir)
    return sum(outcome.crashes for outcome in outcomes if outcome)


def assert_accounted_for(data_dir: Path, wallet: str) -> None:
    outcomes, tallies = in_services(data_dir)
    assert tallies == [Tally(accepted=MESSAGES, S=MESSAGES)] * 2
    assert [outcome.dead_cause for outcome in outcomes if outcome] == [""] * MESSAGES
    counts = get(f"{wallet}/counts")
    assert (counts["deliveredKeys"], counts["deliveredTwice"]) == (DELIVERIES, 0)


def test_a_killed_child_loses_nothing_and_the_others_go_on(data_dir: Path) -> None:
    with tidings(data_dir, "dev", **SETTINGS) as command:
        command.until_printed(UP)
        post(f"{command.gateway}/behaviour", SLOW)
        worker = command.pid_of("worker")
        before = children(worker)
        send_all(command)
        until_in_the_middle(command)

        os.kill(min(before), signal.SIGKILL)

        until_all_are_delivered(command)
        wait_until(lambda: len(children(worker)) == len(before), "a child in place of the killed one")
        assert crashes(data_dir) > 0
        assert_accounted_for(data_dir, command.gateway)
        # What the killed child had sent is asked for again, and nothing else.
        assert get(f"{command.gateway}/counts")["repeatedCalls"] <= 2 * 10
        assert command.stopped_by(signal.SIGINT) == 0


def test_a_killed_worker_loses_nothing_when_it_is_started_again(data_dir: Path, tmp_path: Path) -> None:
    with wallet_that_outlives_the_stack(tmp_path / "wallet") as wallet:
        post(f"{wallet}/behaviour", SLOW)
        with tidings(data_dir, "dev", **SETTINGS) as first:
            first.until_printed(UP)
            in_services(data_dir, wallet)
            send_all(first)
            until_in_the_middle(first)
            family = first.family()

            os.killpg(first.pid_of("worker"), signal.SIGKILL)

            assert first.ended() == 2
        assert "the worker ended by itself (killed by SIGKILL)" in first.stderr
        assert running(family) == set()
        with tidings(data_dir, "dev", **SETTINGS) as second:
            second.until_printed(UP)
            until_all_are_delivered(second)
            assert crashes(data_dir) > 0
            assert_accounted_for(data_dir, wallet)
            assert second.stopped_by(signal.SIGINT) == 0


def test_a_stopped_worker_finishes_what_it_holds_so_that_no_call_is_repeated(data_dir: Path, tmp_path: Path) -> None:
    # This wallet shows a message again when it is asked again.
    with wallet_that_outlives_the_stack(tmp_path / "wallet", "--idempotency", "ignored") as wallet:
        post(f"{wallet}/behaviour", SLOW)
        with tidings(data_dir, "dev", **SETTINGS) as first:
            first.until_printed(UP)
            in_services(data_dir, wallet)
            send_all(first)
            until_in_the_middle(first)
            assert first.stopped_by(signal.SIGINT) == 0
        with tidings(data_dir, "dev", **SETTINGS) as second:
            second.until_printed(UP)
            until_all_are_delivered(second)
            assert crashes(data_dir) == 0
            assert_accounted_for(data_dir, wallet)
            assert second.stopped_by(signal.SIGINT) == 0
