"""Runs the HTTP application on granian."""

import socket

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from worker.contract.errors import TidingsError
from worker.settings import Settings

_BACKLOG = 1024
LARGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers; beyond, HTTP 431. A signature has some 700."""
_OUR_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {name: {"handlers": [], "level": "INFO", "propagate": True} for name in ("_granian", "granian.access")},
}
"""Lets granian's lines go where all others go."""


class AddressError(TidingsError):
    """The API can't listen where the settings say."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished. Raises AddressError."""
    port = _checked_port(settings.api_host, settings.api_port)
    Granian(
        "api_adapter.http.asgi:application",
        factory=True,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        # HTTP/2 belongs to the proxy that ends TLS: here it would be a second way in, without time-outs.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=settings.head_timeout, max_buffer_size=LARGEST_HEAD),
        address=settings.api_host,
        port=port,
        workers=1,
        backlog=_BACKLOG,
        workers_kill_timeout=10,
        log_access=False,
        log_dictconfig=_OUR_LOGS,
        websockets=False,
    ).serve()


def _checked_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0: granian would log the 0.

    Refuses an address in use: granian itself would share it with whoever listens there already.
    """
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        raise AddressError(
            f"can't listen on {host}:{port} ({error.strerror}); set TIDINGS_API_HOST and TIDINGS_API_PORT",
        ) from error
