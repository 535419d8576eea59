"""Runs the HTTP application on granian."""

from granian import Granian
from granian.constants import Interfaces, Loops

from worker.settings import Settings

_BACKLOG = 1024
_OUR_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {name: {"handlers": [], "level": "INFO", "propagate": True} for name in ("_granian", "granian.access")},
}
"""Lets granian's lines go where all others go."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished."""
    Granian(
        "api_adapter.http.asgi:application",
        factory=True,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        address=settings.api_host,
        port=settings.api_port,
        workers=1,
        backlog=_BACKLOG,
        workers_kill_timeout=10,
        log_access=False,
        log_dictconfig=_OUR_LOGS,
        websockets=False,
    ).serve()
