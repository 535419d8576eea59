"""Where a command will listen: looked at before, to say which option and setting change what is wrong."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from worker.contract.errors import TidingsError


class AddressError(TidingsError):
    """Nobody can listen at an address; the text names it, and what changes it."""


class Place(NamedTuple):
    """Where a socket is bound."""

    family: socket.AddressFamily
    address: tuple[Any, ...]
    """As the family has it."""


def usable_port(host: str, port: int, setting: str = "") -> int:
    """Return the port, or a free one for 0.

    Args:
        host: an address of this machine, or its name.
        port: 0 to 65535.
        setting: what the settings of host and port begin with, such as `TIDINGS_API`, where there are any beside the
            options `--host` and `--port`.

    Raises AddressError.

    """
    with told_where(host, port, setting):
        place = place_of(host, port)
        with socket.socket(place.family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place.address)
            found: int = probe.getsockname()[1]
            return found


def place_of(host: str, port: int) -> Place:
    """Return the first place that a host's name means; raise OSError or UnicodeError for one that means none."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return Place(family, address)


@contextmanager
def told_where(host: str, port: int, setting: str = "") -> Iterator[None]:
    """Raise AddressError, with what changes it, where the block can't listen there; takes what `usable_port` takes."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        names = ["port"] if taken else ["host", "port"]
        options = " and ".join(f"--{name}" for name in names)
        settings = " and ".join(f"{setting}_{name.upper()}" for name in names)
        change = f"{options}, or {settings}" if setting else options
        raise AddressError(f"can't listen on {place} ({_why_not(error)}); change {change}") from error


def _why_not(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "it is no name of a host"
    return "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
