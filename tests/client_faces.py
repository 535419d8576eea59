"""Both faces of the client behind one: what a test says of the client holds for either."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from api_adapter.client import (
    Access,
    AsyncBatch,
    AsyncClient,
    Client,
    Difference,
    Expectation,
    MessageStatus,
    Outcome,
    Patience,
    Pause,
    Sendable,
    SendAnswer,
)

One = TypeVar("One")
QUICK = Patience(total=60.0, call=20.0, first=0.001, longest=0.01)
"""Pauses that no test waits for."""


class Face(Protocol):
    """What both faces offer, as the blocking one has it."""

    pauses: list[Pause]

    def send(self, send: Sendable) -> SendAnswer: ...
    def send_many(self, sends: Iterable[Sendable]) -> Iterator[SendAnswer]: ...
    def inquire(self, app_id: str, request_id: str) -> Outcome | None: ...
    def inquire_message(self, message_id: str) -> Outcome | None: ...
    def inquire_many(self, app_id: str, request_ids: Iterable[str]) -> Iterator[MessageStatus]: ...
    def reconcile(self, app_id: str, books: Iterable[Expectation]) -> Iterator[Difference]: ...
    def batch(self, app_id: str, batch_id: str) -> Any: ...  # noqa: ANN401 - a `Batch`, or what acts as one


class BlockingFace(Client):
    def __init__(self, access: Access, patience: Patience) -> None:
        self.pauses: list[Pause] = []
        super().__init__(access, patience, waiting=self.pauses.append)


class AsyncFace:
    def __init__(self, client: AsyncClient, runner: asyncio.Runner, pauses: list[Pause]) -> None:
        self._client = client
        self._runner = runner
        self.pauses = pauses

    def send(self, send: Sendable) -> SendAnswer:
        return self._runner.run(self._client.send(send))

    def send_many(self, sends: Iterable[Sendable]) -> Iterator[SendAnswer]:
        return self._each(self._client.send_many(sends))

    def inquire(self, app_id: str, request_id: str) -> Outcome | None:
        return self._runner.run(self._client.inquire(app_id, request_id))

    def inquire_message(self, message_id: str) -> Outcome | None:
        return self._runner.run(self._client.inquire_message(message_id))

    def inquire_many(self, app_id: str, request_ids: Iterable[str]) -> Iterator[MessageStatus]:
        return self._each(self._client.inquire_many(app_id, request_ids))

    def reconcile(self, app_id: str, books: Iterable[Expectation]) -> Iterator[Difference]:
        return self._each(self._client.reconcile(app_id, books))

    def batch(self, app_id: str, batch_id: str) -> Any:  # noqa: ANN401 - a batch that blocks
        return AsyncBatchFace(self._client.batch(app_id, batch_id), self)

    def run(self, method: Callable[..., Any], *arguments: object, **named: object) -> Any:  # noqa: ANN401 - as above
        """Return what a method of the asyncio face returns, or iterate over what it yields."""
        called = method(*arguments, **named)
        return self._each(called) if isinstance(called, AsyncIterator) else self._runner.run(called)

    def _each(self, many: AsyncIterator[One]) -> Iterator[One]:
        async def following() -> One:
            return await anext(many)

        while True:
            try:
                yield self._runner.run(following())
            except StopAsyncIteration:
                return


class AsyncBatchFace:
    """An `AsyncBatch` whose methods block."""

    def __init__(self, batch: AsyncBatch, face: AsyncFace) -> None:
        self._batch = batch
        self._face = face

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._face.run, getattr(self._batch, name))


@contextmanager
def opened_face(kind: str, access: Access, patience: Patience = QUICK) -> Iterator[Face]:
    """Give the face of a kind, `blocking` or `async`."""
    if kind == "blocking":
        with BlockingFace(access, patience) as face:
            yield face
        return
    with asyncio.Runner() as runner:
        pauses: list[Pause] = []
        client = AsyncClient(access, patience, waiting=pauses.append)
        try:
            yield AsyncFace(client, runner, pauses)
        finally:
            runner.run(client.close())
