"""Where a command will listen: looked at before, to say which option and setting change what is wrong."""

import errno
import socket

from worker.contract.errors import TidingsError


class AddressError(TidingsError):
    """Nobody can listen at an address; the text names it, and what changes it."""


def usable_port(host: str, port: int, setting: str = "") -> int:
    """Return the port, or a free one for 0.

    Args:
        host: an address of this machine, or its name.
        port: 0 to 65535.
        setting: what the settings of host and port begin with, such as `TIDINGS_API`, where there are any beside the
            options `--host` and `--port`.

    Raises AddressError.

    """
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            found: int = probe.getsockname()[1]
            return found
    except OSError as error:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else error.strerror
        names = ["port"] if taken else ["host", "port"]
        options = " and ".join(f"--{name}" for name in names)
        settings = " and ".join(f"{setting}_{name.upper()}" for name in names)
        change = f"{options}, or {settings}" if setting else options
        raise AddressError(f"can't listen on {place} ({why}); change {change}") from error
