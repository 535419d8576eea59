import socket

import pytest

from api_adapter.http.server import AddressError, serve
from worker.settings import Settings


def test_an_address_in_use_is_refused_with_the_settings_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=rf"can't listen on 127.0.0.1:{port} .*TIDINGS_API_PORT"):
            serve(Settings(api_port=port))


def test_a_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(AddressError, match="TIDINGS_API_HOST"):
        serve(Settings(api_host="192.0.2.1"))
