import socket

import pytest

from tests.command_line import CommandLine


@pytest.mark.parametrize("part", ["serve", "gateway"])
def test_a_taken_port_is_named_with_the_option_and_setting_that_change_it(part: str) -> None:
    setting = {"serve": "TIDINGS_API_PORT", "gateway": "TIDINGS_GATEWAY_PORT"}[part]
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = CommandLine("redis://127.0.0.1:1").refused(part, "--port", port)

    assert refused == f"can't listen on 127.0.0.1:{port} (another program listens there); change --port, or {setting}"


def test_an_api_whose_broker_nothing_can_reach_does_not_start() -> None:
    refused = CommandLine("redis://127.0.0.1:1").refused("serve", "--port", "0", broker_url="nonsense://u:s3cr3t@h")

    assert refused.startswith("TIDINGS_BROKER_URL: no broker can be reached by this nonsense:// URL; give one such as ")
    assert "s3cr3t" not in refused
