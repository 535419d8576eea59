"""Calls merchants over HTTP at addresses that were checked, and at no other (server-side request forgery).

A name is resolved once; the connection goes to the very address that was judged, while Host and the TLS name stay those
of the URL. Redirects are not followed, and no proxy of the environment is used.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from worker.adapters.callbacks.http_phases import was_never_sent
from worker.adapters.resolving import Addresses, Resolver
from worker.callbacks.addresses import Target, UnfitUrlError, may_be_called, target_of
from worker.callbacks.ports import Reply
from worker.contract.clients import Network
from worker.ports import Clock
from worker.retry_after import wait_asked

NAMES_KEPT = 30.0
"""Seconds for which a merchant's addresses are used; each call judges them anew."""
_CONNECT_TIMEOUT = timedelta(seconds=5)
_MOST_ADDRESSES = 3
"""Addresses of a name that are tried in one call."""
_CLIENTS = 500
"""Most clients that are kept, each with the connections to one host."""
_MOST_OF_A_BODY = 16_384
"""Bytes of an answer that are read so that its connection can be used again; beyond, it is closed."""

_SHARE_OF_A_BODY = 0.1
"""Of the time of a call: how long is waited for them."""

FORBIDDEN = Reply(None, "ADDRESS_FORBIDDEN")
NO_ADDRESS = Reply(None, "NO_ADDRESS")
UNREACHABLE = Reply(None, "UNREACHABLE")
BROKEN = Reply(None, "BROKEN")
TIMEOUT = Reply(None, "TIMEOUT")
UNFIT_URL = Reply(None, "UNFIT_URL")


class HttpPoster:
    """Implements `callbacks.ports.Poster`. Connections are kept and used again."""

    def __init__(
        self,
        clock: Clock,
        resolver: Resolver,
        allowed: Sequence[Network],
        timeout: int,
        roots: Sequence[bytes] = (),
    ) -> None:
        """Make calls of at most `timeout` milliseconds in all; connects at the first one.

        Args:
            clock: for a Retry-After that is a date.
            resolver: closed with this.
            allowed: networks that may be called although they are not public, also without TLS.
            timeout: of a call, from its beginning to the end of the answer.
            roots: certificates (PEM) that are trusted beside the usual ones.

        """
        self._clock = clock
        self._resolver = resolver
        self._allowed = tuple(allowed)
        self._seconds = timeout / 1000
        self._timeout = timedelta(milliseconds=timeout)
        self._roots = tuple(roots)
        self._clients: OrderedDict[tuple[str, str], Client] = OrderedDict()

    async def close(self) -> None:
        """Close the connections."""
        await self._resolver.close()
        for client in self._clients.values():
            await client.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Call a merchant. Never raises for what the network or the merchant does."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(target_of(url), url, headers, body)
        except UnfitUrlError:
            return UNFIT_URL
        except TimeoutError:
            return TIMEOUT

    async def foresee(self, url: str) -> Reply | None:
        """Return what a call would end with before anybody is connected to; None: it would be made."""
        try:
            found = await self._judged(target_of(url))
        except UnfitUrlError:
            return UNFIT_URL
        return found if isinstance(found, Reply) else None

    async def _judged(self, target: Target) -> Addresses | Reply:
        """Return the addresses that may be called, or why none is."""
        addresses = await self._resolver.resolve(target.host)
        if not addresses:
            return NO_ADDRESS
        if not all(may_be_called(one, target.scheme, self._allowed) for one in addresses):
            return FORBIDDEN
        return addresses

    async def _post(self, target: Target, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        addresses = await self._judged(target)
        if isinstance(addresses, Reply):
            return addresses
        reply = UNREACHABLE
        for address in addresses[:_MOST_ADDRESSES]:
            reply = await self._call(self._client(target.host, address), url, headers, body)
            if reply is not UNREACHABLE:
                break
        return reply

    async def _call(self, client: Client, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            call = client.post(url).headers(dict(headers)).body_bytes(body)
            request = call.streamed_read_buffer_limit(0).build_streamed()  # the status counts, however late the rest is
            async with request as response:
                reply = Reply(
                    response.status,
                    f"HTTP {response.status}",
                    wait_asked(response.get_header("retry-after"), self._clock.now()),
                )
                await self._read_a_little(response)
        except (PyreqwestError, ValueError) as error:
            return _failure(error)
        return reply

    async def _read_a_little(self, response: Response) -> None:
        """Read the answer's body so that its connection can be used again; whatever it is, the status has been said."""
        with suppress(PyreqwestError, TimeoutError):
            async with asyncio.timeout(self._seconds * _SHARE_OF_A_BODY):
                await response.body_reader.read(_MOST_OF_A_BODY)

    def _client(self, host: str, address: str) -> Client:
        """Return the client whose every connection goes to an address, whatever the host's name leads to by then."""
        key = (host, address)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = self._build(host, address)
            if len(self._clients) > _CLIENTS:
                self._clients.popitem(last=False)  # its calls in flight keep it until they end
        self._clients.move_to_end(key)
        return client

    def _build(self, host: str, address: str) -> Client:
        builder = (
            ClientBuilder()
            .timeout(self._timeout)
            .connect_timeout(min(_CONNECT_TIMEOUT, self._timeout))
            .follow_redirects(enable=False)
            .no_proxy()
            .gzip(enable=False)
            .brotli(enable=False)
            .zstd(enable=False)
            .deflate(enable=False)
            .user_agent("tidings")
        )
        for root in self._roots:
            builder = builder.add_root_certificate_pem(root)
        return (builder if host == address else builder.resolve(host, address, 0)).build()


def _failure(error: PyreqwestError | ValueError) -> Reply:
    if was_never_sent(error):
        return UNREACHABLE
    return TIMEOUT if isinstance(error, RequestTimeoutError) else BROKEN
