"""The asyncio face of the client."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from api_adapter.cancellation import cancellation_heeded
from api_adapter.client.access import Access
from api_adapter.client.answers import Difference, MessageStatus, Outcome, SendAnswer
from api_adapter.client.asynchronous_batch import AsyncBatch
from api_adapter.client.batch_jobs import BatchOperations
from api_adapter.client.exchange import Event, Exchange, HttpCall, HttpReply, Lost, Pause, Step
from api_adapter.client.operations import Operations, book_parts, id_parts, parts
from api_adapter.client.requests import Expectation, Sendable
from api_adapter.client.transport import built, configured, headers_of
from api_adapter.client.waits import Patience
from worker.clock import SystemClock
from worker.ports import Clock

Returned = TypeVar("Returned")


_LETTING_GO = 0.05
"""Seconds."""


class AsyncClient:
    """Calls the API without blocking its event loop. One client keeps its connections; tasks may share it.

    >>> from api_adapter.client import Access, AsyncClient, Signer
    >>> async def notify(send):
    ...     async with AsyncClient(Access("https://api.example", "merchant-1", Signer(key, 1))) as client:
    ...         return (await client.send(send)).message_id
    """

    def __init__(
        self,
        access: Access,
        patience: Patience | None = None,
        *,
        waiting: Callable[[Pause], None] = lambda _: None,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Connects at the first call. `waiting` is told of each pause before something is repeated."""
        self._operations = Operations(access, patience or Patience(), clock or SystemClock(), draw)
        self._waiting = waiting
        self._http: Client = built(configured(ClientBuilder()).build)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
        # pyreqwest's threads let go of a call a moment after its end: a Python that ends before they do is aborted.
        await asyncio.sleep(_LETTING_GO)

    async def send(self, send: Sendable) -> SendAnswer:
        """Have one message taken, durably; U is repeated with the same requestId.

        Raises:
            RefusedError: it is not taken (F); the error's `result` says why.
            UnknownError: it is U, for as long as `Patience` allows. Send it again: it is taken at most once.
            UntrustedAnswerError: see there.

        """
        return await self._run(self._operations.send(send))

    async def send_many(self, sends: Iterable[Sendable]) -> AsyncIterator[SendAnswer]:
        """Yield an answer for each send, in order: S, F or U. Holds one call's sends (500, 1 MiB) in memory.

        Raises RefusedError when a whole call is refused, as by INVALID_SIGNATURE, and UntrustedAnswerError. What came
        before is taken all the same; sending everything again sends nothing twice.
        """
        for part in parts(sends):
            for answer in await self._run(self._operations.send_batch(part)):
                yield answer

    async def inquire(self, app_id: str, request_id: str) -> Outcome | None:
        """Return everything known of a message; None: never taken, or forgotten. Raises as `send`."""
        return await self._run(self._operations.inquire({"appId": app_id, "requestId": request_id}))

    async def inquire_message(self, message_id: str) -> Outcome | None:
        """Return what `inquire` does, by messageId."""
        return await self._run(self._operations.inquire({"messageId": message_id}))

    async def inquire_many(self, app_id: str, request_ids: Iterable[str]) -> AsyncIterator[MessageStatus]:
        """Yield the status of each requestId, in order. Raises as `send`."""
        for part in id_parts(request_ids):
            for status in await self._run(self._operations.inquire_many(app_id, part)):
                yield status

    async def reconcile(self, app_id: str, books: Iterable[Expectation]) -> AsyncIterator[Difference]:
        """Yield where your books and the ledger do not say the same, in the order of the books. Raises as `send`.

        `index` is the place in the books. Holds 10,000 messages in memory.
        """
        place = 0
        for part in book_parts(books):
            found = await self._run(self._operations.reconcile(app_id, part))
            for one in found.differences:
                yield one.model_copy(update={"index": one.index + place})
            place += len(part)

    def batch(self, app_id: str, batch_id: str) -> AsyncBatch:
        """Return a batch job, by your own batchId; nobody is asked yet."""
        return AsyncBatch(BatchOperations(self._operations, app_id, batch_id), self._run)

    async def _run(self, exchange: Exchange[Returned]) -> Returned:
        event: Event = None
        try:
            while True:
                step = exchange.send(event)
                event = await self._done(step)
        except StopIteration as end:
            returned: Returned = end.value
            return returned

    async def _done(self, step: Step) -> Event:
        if isinstance(step, Pause):
            self._waiting(step)
            await asyncio.sleep(step.seconds)
            return None
        return await self._call(step)

    async def _call(self, call: HttpCall) -> HttpReply | Lost:
        request = self._http.post(call.url).headers(call.headers).body_bytes(call.body)
        try:
            with cancellation_heeded():
                response = await request.timeout(timedelta(seconds=call.timeout)).build().send()
                return HttpReply(response.status, headers_of(response), bytes(await response.bytes()))
        except PyreqwestError as error:
            # Never its text: it may quote the call.
            return Lost(type(error).__name__)
