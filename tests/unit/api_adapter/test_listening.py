import socket

import pytest

from api_adapter.listening import AddressError, usable_port


def test_a_free_port_is_usable_and_stays_free() -> None:
    port = usable_port("127.0.0.1", 0)

    assert port > 0
    assert usable_port("127.0.0.1", port) == port


@pytest.mark.parametrize(
    ("setting", "change"), [("TIDINGS_GATEWAY", "--port, or TIDINGS_GATEWAY_PORT"), ("", "--port")]
)
def test_a_taken_port_is_named_with_what_changes_it(setting: str, change: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError) as refused:
            usable_port("127.0.0.1", port, setting)

    assert str(refused.value) == f"can't listen on 127.0.0.1:{port} (another program listens there); change {change}"


@pytest.mark.parametrize(
    ("host", "place"),
    [("192.0.2.1", "192.0.2.1:8080"), ("2001:db8::1", "[2001:db8::1]:8080"), ("nobody.invalid", "nobody.invalid:8080")],
)
def test_a_host_that_is_not_ours_is_named_with_what_changes_it(host: str, place: str) -> None:
    with pytest.raises(AddressError) as refused:
        usable_port(host, 8080, "TIDINGS_API")

    text = str(refused.value)
    assert text.startswith(f"can't listen on {place} (")
    assert text.endswith("); change --host and --port, or TIDINGS_API_HOST and TIDINGS_API_PORT")


@pytest.mark.parametrize("host", ["x" * 64, "a..b", ".."])
def test_what_can_be_no_name_of_a_host_is_said(host: str) -> None:
    with pytest.raises(AddressError) as refused:
        usable_port(host, 8080)

    assert str(refused.value) == (f"can't listen on {host}:8080 (it is no name of a host); change --host and --port")
