"""Runs the HTTP application on granian."""

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from api_adapter.listening import usable_port
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


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished. Raises AddressError."""
    # Granian would share an address in use with whoever listens there, and log a port of 0.
    port = usable_port(settings.api_host, settings.api_port, "TIDINGS_API")
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
