"""The blocking face of the client."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError

from api_adapter.client.access import Access
from api_adapter.client.answers import Difference, MessageStatus, Outcome, SendAnswer
from api_adapter.client.batch_jobs import BatchOperations
from api_adapter.client.blocking_batch import Batch
from api_adapter.client.exchange import Event, Exchange, HttpCall, HttpReply, Lost, Pause, Step
from api_adapter.client.operations import Operations, book_parts, id_parts, parts
from api_adapter.client.requests import Expectation, Sendable
from api_adapter.client.transport import built, configured, headers_of
from api_adapter.client.waits import Patience
from worker.clock import SystemClock
from worker.ports import Clock

Returned = TypeVar("Returned")


class Client:
    """Calls the API and waits for its answers. One client keeps its connections; threads may share it.

    >>> from api_adapter.client import Access, Client, Signer
    >>> access = Access("https://api.example", "merchant-1", Signer(key, 1))        # doctest: +SKIP
    >>> with Client(access) as client:                                              # doctest: +SKIP
    ...     client.send(send).message_id
    '622468a6847ff479122a36aa312974ea'
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
        self._http: SyncClient = built(configured(SyncClientBuilder()).build)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, send: Sendable) -> SendAnswer:
        """Have one message taken, durably; U is repeated with the same requestId.

        Raises:
            RefusedError: it is not taken (F); the error's `result` says why.
            UnknownError: it is U, for as long as `Patience` allows. Send it again: it is taken at most once.
            UntrustedAnswerError: see there.

        """
        return self._run(self._operations.send(send))

    def send_many(self, sends: Iterable[Sendable]) -> Iterator[SendAnswer]:
        """Yield an answer for each send, in order: S, F or U. Holds one call's sends (500, 1 MiB) in memory.

        Raises RefusedError when a whole call is refused, as by INVALID_SIGNATURE, and UntrustedAnswerError. What came
        before is taken all the same; sending everything again sends nothing twice.
        """
        for part in parts(sends):
            yield from self._run(self._operations.send_batch(part))

    def inquire(self, app_id: str, request_id: str) -> Outcome | None:
        """Return everything known of a message; None: never taken, or forgotten. Raises as `send`."""
        return self._run(self._operations.inquire({"appId": app_id, "requestId": request_id}))

    def inquire_message(self, message_id: str) -> Outcome | None:
        """Return what `inquire` does, by messageId."""
        return self._run(self._operations.inquire({"messageId": message_id}))

    def inquire_many(self, app_id: str, request_ids: Iterable[str]) -> Iterator[MessageStatus]:
        """Yield the status of each requestId, in order. Raises as `send`."""
        for part in id_parts(request_ids):
            yield from self._run(self._operations.inquire_many(app_id, part))

    def reconcile(self, app_id: str, books: Iterable[Expectation]) -> Iterator[Difference]:
        """Yield where your books and the ledger do not say the same, in the order of the books. Raises as `send`.

        `index` is the place in the books. Holds 10,000 messages in memory.
        """
        place = 0
        for part in book_parts(books):
            found = self._run(self._operations.reconcile(app_id, part))
            for one in found.differences:
                yield one.model_copy(update={"index": one.index + place})
            place += len(part)

    def batch(self, app_id: str, batch_id: str) -> Batch:
        """Return a batch job, by your own batchId; nobody is asked yet."""
        return Batch(BatchOperations(self._operations, app_id, batch_id), self._run)

    def _run(self, exchange: Exchange[Returned]) -> Returned:
        event: Event = None
        try:
            while True:
                step = exchange.send(event)
                event = self._done(step)
        except StopIteration as end:
            returned: Returned = end.value
            return returned

    def _done(self, step: Step) -> Event:
        if isinstance(step, Pause):
            self._waiting(step)
            time.sleep(step.seconds)
            return None
        return self._call(step)

    def _call(self, call: HttpCall) -> HttpReply | Lost:
        request = self._http.post(call.url).headers(call.headers).body_bytes(call.body)
        try:
            response = request.timeout(timedelta(seconds=call.timeout)).build().send()
            return HttpReply(response.status, headers_of(response), bytes(response.bytes()))
        except PyreqwestError as error:
            # Never its text: it may quote the call.
            return Lost(type(error).__name__)
