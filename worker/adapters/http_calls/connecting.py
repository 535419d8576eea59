"""Makes connections: a name's addresses are tried one after another, each within its share of the time."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import cast

from worker.adapters.http_calls.connection import Connection
from worker.adapters.http_calls.errors import (
    ConnectError,
    ConnectTimeoutError,
    HostNotFoundError,
    NeverSentError,
    UntrustedCertificateError,
)
from worker.adapters.http_calls.target import Origin

_SHORTEST = 0.001
"""Seconds: no time-out of asyncio may be 0."""


async def connect(
    origin: Origin, context: ssl.SSLContext | None, seconds: float, make: Callable[[], Connection]
) -> Connection:
    """Return a connection to the first address that takes one.

    Args:
        origin: where to.
        context: for TLS, whose server has to prove its name; None: no TLS.
        seconds: for the name's look-up and all addresses. Who calls ends the look-up, should it take longer.
        make: makes a Connection for a transport.

    Raises:
        NeverSentError: no address took a connection; its class says why the last one didn't.

    """
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    addresses = await _addresses(origin)
    failure: type[NeverSentError] = HostNotFoundError
    for tried, address in enumerate(addresses):
        share = (end - loop.time()) / (len(addresses) - tried)
        try:
            async with asyncio.timeout(share):
                return await _connect_to(address, origin, context, share, make)
        except TimeoutError:
            failure = ConnectTimeoutError
        except ssl.SSLCertVerificationError:
            failure = UntrustedCertificateError
        except (OSError, ValueError):  # a name that TLS can't ask for is the latter
            failure = ConnectError
    raise failure(f"none of {len(addresses)} addresses took a connection")


async def _addresses(origin: Origin) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise HostNotFoundError("the host's name leads to no address") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _connect_to(
    address: str, origin: Origin, context: ssl.SSLContext | None, seconds: float, make: Callable[[], Connection]
) -> Connection:
    connection = make()
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: cast("asyncio.Protocol", connection),
            address,
            origin.port,
            ssl=context,
            server_hostname=origin.host if context else None,
            # Its timer goes on where uvloop's wait for a connection is cancelled.
            ssl_handshake_timeout=max(seconds, _SHORTEST) if context else None,
        )
    except BaseException:
        connection.abort()
        connection.connection_lost(None)  # uvloop says nothing of it where the wait for a connection is cancelled
        raise
    return connection
