"""Makes connections: a name's addresses are tried one after another, each within its share of the time."""

import asyncio
import ssl
from collections.abc import Callable
from time import monotonic
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
from worker.adapters.resolving import Addresses, Resolver

NAMES_KEPT = 5.0
"""Seconds for which a gateway's addresses are used. A wallet that moves is followed as soon as that."""
_SHORTEST = 0.001
"""Seconds: no time-out of asyncio may be 0."""
_MOST_FAILED = 1_000
"""Addresses that are remembered because they failed."""

Make = Callable[[], Connection]
"""Makes a Connection for a transport."""
_Failure = tuple[type[NeverSentError], str]


class Connector:
    """Connects from one event loop. It remembers which addresses took no connection, and tries them last."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._resolver = Resolver(NAMES_KEPT)
        self._failed: dict[tuple[Origin, str], float] = {}
        """When an address took no connection, until it takes one."""

    async def connect(self, origin: Origin, context: ssl.SSLContext | None, seconds: float, make: Make) -> Connection:
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
        addresses = self._in_order(origin, await self._resolver.resolve(origin.host))
        if not addresses:
            raise HostNotFoundError("the host's name leads to no address, or can't be looked up")
        nobody = f"none of {len(addresses)} addresses took a connection"
        failure: _Failure = ConnectError, nobody
        for tried, address in enumerate(addresses):
            share = (end - loop.time()) / (len(addresses) - tried)
            try:
                async with asyncio.timeout(share):
                    connection = await _connect_to(address, origin, context, share, make)
            except (OSError, ValueError) as error:  # a name that TLS can't ask for is the latter
                failure = _failure(error, nobody)
            else:
                self._failed.pop((origin, address), None)
                return connection
            self._note_failure(origin, address)
        error_type, reason = failure
        raise error_type(reason)

    async def close(self) -> None:
        """Let go of look-ups, once nobody connects any more."""
        await self._resolver.close()

    def _in_order(self, origin: Origin, addresses: Addresses) -> list[str]:
        """Sort by the time of failure, and else as the name server has them: it may spread callers by their order."""
        return sorted(addresses, key=lambda address: self._failed.get((origin, address), 0.0))

    def _note_failure(self, origin: Origin, address: str) -> None:
        if len(self._failed) >= _MOST_FAILED:
            self._failed.clear()
        self._failed[origin, address] = monotonic()


def _failure(error: OSError | ValueError, nobody: str) -> _Failure:
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError, nobody
    if isinstance(error, ssl.SSLCertVerificationError):
        # The host's name stands behind the comma.
        return UntrustedCertificateError, error.verify_message.partition(",")[0]
    if isinstance(error, ssl.SSLError):
        return ConnectError, f"the TLS handshake failed ({error.reason or type(error).__name__})"
    return ConnectError, nobody


async def _connect_to(
    address: str, origin: Origin, context: ssl.SSLContext | None, seconds: float, make: Make
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
