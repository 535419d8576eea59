import socket

import pytest

from api_adapter.http.server import serve
from api_adapter.listening import AddressError
from worker.settings import Settings


def test_an_address_in_use_is_refused_with_the_option_and_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=rf"can't listen on 127.0.0.1:{port} .*--port, or TIDINGS_API_PORT"):
            serve(Settings(api_port=port))
