"""POSTs over connections that are kept and used again."""

import asyncio
import ssl
from contextlib import suppress
from time import monotonic

from worker.adapters.http_calls.answer import Reply
from worker.adapters.http_calls.connecting import Connector
from worker.adapters.http_calls.connection import Connection, Failure, Outcome
from worker.adapters.http_calls.deadlines import Deadlines
from worker.adapters.http_calls.errors import ClientClosedError, ConnectTimeoutError
from worker.adapters.http_calls.pool import Pool
from worker.adapters.http_calls.target import Origin, Target, target_of

CONNECT_SECONDS = 3.0
_TURNS_TO_CLOSE = 1_000
"""Of the event loop: transports need two or three to say that they are gone."""


class HttpClient:
    """Calls from one event loop. It follows no redirect, asks no proxy, and sends nothing twice."""

    def __init__(self, timeout: float, context: ssl.SSLContext | None = None) -> None:
        """Make the client; connects at the first call.

        Args:
            timeout: seconds that a call may take, from its start to the last byte of the answer.
            context: for https; None: one that trusts whom the system trusts. SSL_CERT_FILE names a file to read in
                place of the system's, SSL_CERT_DIR a directory; each alone leaves the other as it is.

        """
        self._connect_seconds = min(CONNECT_SECONDS, timeout)
        self._context = context
        self._deadlines = Deadlines(timeout)
        self._targets: dict[str, tuple[Target, Pool]] = {}
        """By URL: as many as were ever called."""
        self._pools: dict[Origin, Pool] = {}
        self._connector = Connector()
        self._connecting: set[asyncio.Timeout] = set()
        self._is_closed = False

    async def post(self, url: str, body: bytes) -> Reply:
        """Send JSON; return the answer, whatever its status.

        The connection of a call that ends without an answer, or is cancelled, is closed.

        Raises:
            NeverSentError: nothing was written.
            UnansweredError: something may have been.

        """
        if self._is_closed:
            raise ClientClosedError("the client is closed")
        target, pool = self._targets.get(url) or self._learn(url)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Outcome] = loop.create_future()
        began = monotonic()
        connection: Connection | None = None
        self._deadlines.begin(waiter, loop.time())
        try:
            connection = pool.take(began) or await self._connect(target.origin, pool, waiter)
            connection.send(b"%b%d\r\n\r\n%b" % (target.head, len(body), body), waiter)
            outcome = await waiter
        except BaseException:
            if connection is not None:
                connection.abort()
            raise
        finally:
            self._deadlines.end(waiter)
        if isinstance(outcome, Failure):
            connection.abort()
            pool.drop_idle(began)
            raise outcome.error(outcome.reason)
        pool.put(connection)
        return outcome

    async def connect(self, url: str) -> None:
        """Connect as `post` does, and send nothing; raises NeverSentError where a call could not be made."""
        target, pool = self._targets.get(url) or self._learn(url)
        pool.put(await self._connect(target.origin, pool, asyncio.get_running_loop().create_future()))

    async def close(self) -> None:
        """Close all connections: calls under way fail, and so does each that comes later."""
        self._is_closed = True
        self._deadlines.close()
        now = asyncio.get_running_loop().time()
        for limit in self._connecting:
            with suppress(RuntimeError):  # it expires in this very turn
                limit.reschedule(now)
        for pool in self._pools.values():
            pool.close()
        for _ in range(_TURNS_TO_CLOSE):
            if not self._connecting and not any(pool.open for pool in self._pools.values()):
                break
            await asyncio.sleep(0)
        await self._connector.close()

    def _learn(self, url: str) -> tuple[Target, Pool]:
        target = target_of(url)
        pool = self._pools.setdefault(target.origin, Pool())
        self._targets[url] = target, pool
        return target, pool

    async def _connect(self, origin: Origin, pool: Pool, waiter: "asyncio.Future[Outcome]") -> Connection:
        context = self._tls() if origin.is_tls else None
        limit = asyncio.timeout(self._connect_seconds)
        self._connecting.add(limit)
        try:
            async with limit:
                connection = await self._connector.connect(origin, context, self._connect_seconds, pool.make)
        except TimeoutError:
            if self._is_closed:
                raise ClientClosedError("the client was closed") from None
            raise ConnectTimeoutError("no connection in time") from None
        finally:
            self._connecting.discard(limit)
        if waiter.done():
            connection.abort()
            raise ConnectTimeoutError("the time was over as the connection was there")
        return connection

    def _tls(self) -> ssl.SSLContext:
        """Return the context for https; making one reads all certificates of the system."""
        if self._context is None:
            self._context = ssl.create_default_context()
            # The same with every Python: 3.13 began to refuse what many private authorities sign, for its form alone,
            # and to trust a certificate that is named though it is no root.
            self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            self._context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context
