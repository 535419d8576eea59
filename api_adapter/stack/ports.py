"""TCP ports for the parts of a stack: the wanted ones, or free ones where those are taken."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from worker.contract.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a part would like to listen."""

    host: str
    port: int
    """0: any free one."""
    setting: str
    """Name of the environment variable that says so, for errors."""


def choose_ports(wishes: Sequence[Wish]) -> list[int]:
    """Return a port for each wish, all different: the wanted one, or a free one where that is 0 or taken.

    Raises SettingsError where nobody could listen, such as on an address that is not this machine's.
    """
    with ExitStack() as held:
        # All are held until the last one is chosen: no port is given out twice.
        return [held.enter_context(_listener(wish)).getsockname()[1] for wish in wishes]


def _listener(wish: Wish) -> socket.socket:
    family = socket.AF_INET6 if ":" in wish.host else socket.AF_INET
    try:
        return socket.create_server((wish.host, wish.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and wish.port:
            return _listener(Wish(wish.host, 0, wish.setting))
        text = f"{wish.setting}: nobody can listen on {wish.host}:{wish.port} ({error.strerror}); choose another one"
        raise SettingsError(text) from error


def url_of(host: str, port: int) -> str:
    """Return the URL by which this machine reaches what listens there."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
