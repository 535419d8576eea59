import socket
from typing import Any

import pytest

from api_adapter.cli.callback_receive import listening
from api_adapter.client import CallbackVerifier
from api_adapter.listening import AddressError

VERIFIER = CallbackVerifier("whsec_" + "A" * 44)


def test_it_listens_at_the_first_address_that_a_name_means(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo

    def ipv6_first(_host: str, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        return [*found("::1", *rest, **named), *found("127.0.0.1", *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", ipv6_first)

    with listening("localhost", 0, VERIFIER) as server:
        assert server.server_address[0] == "::1"


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError) as refused:
            listening("::1", port, VERIFIER)

    assert str(refused.value) == f"can't listen on [::1]:{port} (another program listens there); change --port"
