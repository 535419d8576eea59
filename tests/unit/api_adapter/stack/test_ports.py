import socket

import pytest

from api_adapter.stack.ports import Wish, choose_ports, url_of
from worker.contract.errors import SettingsError


def wish(port: int, host: str = "127.0.0.1") -> Wish:
    return Wish(host, port, "TIDINGS_API_PORT")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_free_port_is_taken_as_wished() -> None:
    port = free_port()

    assert choose_ports([wish(port)]) == [port]


def test_a_taken_port_gives_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        [chosen] = choose_ports([wish(taken)])

    assert chosen not in {0, taken}


def test_the_same_wish_twice_gives_two_ports() -> None:
    port = free_port()

    first, second = choose_ports([wish(port), wish(port)])

    assert first == port
    assert second not in {0, port}


def test_zero_is_a_wish_for_any_port() -> None:
    assert choose_ports([wish(0)])[0] > 0


def test_an_address_of_another_machine_names_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"^TIDINGS_API_PORT: nobody can listen on 192\.0\.2\.1:8080 "):
        choose_ports([wish(8080, host="192.0.2.1")])


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:81"),
        ("0.0.0.0", "http://127.0.0.1:81"),  # noqa: S104 - what a setting may say
        ("::", "http://[::1]:81"),
        ("fe80::1", "http://[fe80::1]:81"),
        ("shop.local", "http://shop.local:81"),
    ],
)
def test_a_url_is_one_that_this_machine_can_call(host: str, url: str) -> None:
    assert url_of(host, 81) == url
