"""`tidings dev` as a merchant's developer uses it: real processes, real HTTP, Ctrl-C."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.stacks import Command, get, post, running, tidings, wait_until

PORTS = {"api_port": 0, "gateway_port": 0}
UP = "Ctrl-C stops it; the data is kept."


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def send(command: Command, request_id: str, token: str = "token-ann") -> str:
    body = {
        "appId": "sandbox-app",
        "accessToken": token,
        "requestId": request_id,
        "templateCode": "PAYMENT_NOTICE",
        "redirectUrl": "/pages/1",
        "templates": [{"templateParameters": {"who": "Ann", "amount": "$1", "shop": "Bar", "time": "9:00"}}],
    }
    answer = post(f"{command.api}/v2/miniprogram/message/send", body)
    assert answer["result"]["resultStatus"] == "S"
    return str(answer["messageId"])


def status(command: Command, request_id: str) -> str:
    inquiry = {"appId": "sandbox-app", "requestId": request_id}
    return str(post(f"{command.api}/v2/miniprogram/message/inquiry", inquiry).get("status"))


def test_what_was_delivered_is_known_after_a_restart_and_nothing_is_left_running(data_dir: Path) -> None:
    with tidings(data_dir, "dev", **PORTS) as first:
        first.until_printed(UP)
        message_id = send(first, "paid-1")
        wait_until(lambda: status(first, "paid-1") == "S", "delivery")
        assert get(f"{first.gateway}/counts")["delivered"] == 2
        of_first = first.family()
        assert len(of_first) >= 6  # dev, Valkey, simulator, API and its process, worker and its children
        assert first.stopped_by(signal.SIGINT) == 0
    assert running(of_first) == set()
    assert first.stdout.endswith(f"Stopped. The data is kept in {data_dir}.\n")

    with tidings(data_dir, "dev", **PORTS) as second:
        second.until_printed(UP)
        assert status(second, "paid-1") == "S"
        assert send(second, "paid-1") == message_id
        send(second, "paid-2")
        # The simulator listens elsewhere now, and its wallet was told so.
        wait_until(lambda: status(second, "paid-2") == "S", "delivery")
        of_second = second.family()
        assert second.stopped_by(signal.SIGTERM) == 0
    assert running(of_second) == set()


def test_a_taken_port_is_told_and_replaced(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with tidings(data_dir, "dev", api_port=port, gateway_port=0) as command:
            command.until_printed(UP)

            assert f"Port {port} (TIDINGS_API_PORT) is taken: using {command.api.rpartition(':')[2]}" in command.stdout
            assert get(f"{command.api}/readyz") == {"status": "ready", "warnings": []}
            assert command.stopped_by(signal.SIGINT) == 0


def test_a_part_that_dies_ends_the_stack_with_the_end_of_its_log(data_dir: Path) -> None:
    with tidings(data_dir, "dev", **PORTS) as command:
        command.until_printed(UP)
        family = command.family()

        os.kill(command.pid_of("gateway"), signal.SIGKILL)

        assert command.ended() == 2
    assert "tidings: the gateway ended by itself (killed by SIGKILL); the end of" in command.stderr
    assert "gateway_simulator_ready" in command.stderr
    assert running(family) == set()


def test_a_part_that_does_not_start_is_told_with_the_end_of_its_log(data_dir: Path) -> None:
    with tidings(data_dir, "dev", **PORTS, broker_url="nonsense://") as command:
        assert command.ended() == 2
    assert re.search("tidings: the (api|worker) ended by itself", command.stderr)


def test_a_second_stack_in_a_data_directory_is_refused_and_names_the_first(data_dir: Path) -> None:
    with tidings(data_dir, "dev", **PORTS) as first:
        first.until_printed(UP)
        with tidings(data_dir, "dev", **PORTS) as second:
            assert second.ended() == 2

        assert f"a stack runs in {data_dir} (processes: gateway {first.pid_of('gateway')}," in second.stderr
        assert get(f"{first.api}/readyz") == {"status": "ready", "warnings": []}
        assert first.stopped_by(signal.SIGINT) == 0


def test_a_second_interrupt_kills_what_does_not_end(data_dir: Path) -> None:
    with tidings(data_dir, "dev", **PORTS) as command:
        command.until_printed(UP)
        family = command.family()
        os.kill(command.pid_of("worker"), signal.SIGSTOP)

        command.interrupt(signal.SIGINT)
        command.until_printed("Stopping")
        wait_until(lambda: command.pid_of("api") not in running(family), "the API's end")
        assert command.process.poll() is None
        assert command.stopped_by(signal.SIGINT) == 130

    assert "The worker was killed" in command.stdout
    assert running(family) == set()
