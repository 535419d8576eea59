"""Intake: bytes and headers in, results out, for one send or many (CONTRACT R1-R15, R30-R42, R50-R53).

HTTP, batches and the command line all go through it. It knows no framework and keeps nothing.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeAlias

import structlog
from typing_extensions import override

from api_adapter.admitting import Send
from api_adapter.clients import Caller, Clients
from api_adapter.gathering import Gathering
from api_adapter.limiting import LimitsOf
from api_adapter.reading import Reader, Unread
from api_adapter.taking import Passage, Results, SendResult, Stores, take_part, unknown
from api_adapter.turns import Turns
from worker.batching import chunks
from worker.contract.callbacks import EVERY_OUTCOME, Outcomes
from worker.contract.codes import UNKNOWN, Result
from worker.contract.errors import LedgerUnavailableError
from worker.contract.messages import Lane
from worker.contract.origins import NO_BATCH, BatchPart
from worker.contract.reprs import repr_without
from worker.contract.send_request import SendRequest

_AT_ONCE = 64
"""Calls that use the stores at once."""

_PART = 500
"""Sends of a batch that are read and judged at a time."""
_AHEAD = 3
"""Parts of a batch under way at once: one is read and judged while the store takes those before it."""
_PATIENCE = 8.0
"""Seconds until a send is answered U: a caller that has given up by then learns nothing (R31)."""


class BatchedSend(NamedTuple):
    """A send of a batch job."""

    row: int
    """Its number in the batch."""
    send: Unread

    @override
    def __repr__(self) -> str:
        return repr_without(self, "send")


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What the settings say about intake."""

    shards: int
    deliver_within: int
    """Milliseconds after which a message expires."""
    request_model: type[SendRequest] = SendRequest


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a batch as it was read."""

    size: int
    answered: Results
    """What could not be read."""
    sends: list[Send]
    message_ids: frozenset[str]

    def in_order(self, taken: Results) -> list[SendResult]:
        """Return the answer to each send, given those of what was read."""
        results = self.answered | taken
        return [results[place] for place in range(self.size)]


_UnderWay: TypeAlias = deque[tuple[_Part, asyncio.Task[Results]]]


class Intake:
    """Validates sends, decides what each becomes, and has the ledger take them."""

    def __init__(self, clients: Clients, stores: Stores, limits: IntakeLimits, rate_limits: LimitsOf) -> None:
        """Keep the collaborators."""
        self._clients = clients
        self._stores = stores
        self._limits = limits
        self._reader = Reader(limits.request_model, rate_limits)
        self._turns = Turns(_AT_ONCE)
        self._singles = Gathering(partial(self._take, self._passage(Lane.SINGLE)))

    async def take_one(self, headers: Mapping[str, str], body: bytes) -> SendResult:
        """Answer one interactive send. Those of other callers that come at the same time share its round trips.

        Never raises for what a caller or the store does; arguments as of `take`.
        """
        caller = await self._identify(headers)
        if isinstance(caller, Result):
            return SendResult(caller)
        send = self._reader.read(caller, 0, body)
        return await self._singles.take(send) if isinstance(send, Send) else send

    async def take(
        self,
        headers: Mapping[str, str],
        bodies: Sequence[Unread],
        lane: Lane,
        batch: BatchPart = NO_BATCH,
    ) -> list[SendResult]:
        """Answer each send of a batch, in order. Never raises for what a caller or the store does.

        Args:
            headers: of the request, names in lower case.
            bodies: one JSON object each (R15).
            lane: the queue that new messages travel in.
            batch: what they come in, all of one appId, and when that may be sent.

        """
        caller = await self._identify(headers)
        if isinstance(caller, Result):
            return [SendResult(caller)] * len(bodies)
        return await self._take_parts(
            self._passage(lane, batch), (self._read(caller, some) for some in chunks(bodies, _PART))
        )

    async def take_rows(
        self,
        headers: Mapping[str, str],
        batch: BatchPart,
        rows: Sequence[BatchedSend],
        callbacks: Outcomes = EVERY_OUTCOME,
    ) -> list[SendResult]:
        """Answer rows of a batch job, in order, as `take` does; `callbacks` as in `Passage`.

        No rate limit applies: what is held goes out as its merchant's window lets it.
        """
        caller = await self._identify(headers)
        if isinstance(caller, Result):
            return [SendResult(caller)] * len(rows)
        passage = replace(self._passage(Lane.BULK, batch), callbacks=callbacks)
        return await self._take_parts(passage, (self._read_rows(caller, some) for some in chunks(rows, _PART)))

    async def _take_parts(self, passage: Passage, parts: Iterator[_Part]) -> list[SendResult]:
        results: list[SendResult] = []
        under_way: _UnderWay = deque()
        async with asyncio.TaskGroup() as group:
            for part in parts:
                while not _may_start(part, under_way):
                    results += await _first_answers(under_way)
                under_way.append((part, group.create_task(self._take(passage, part.sends))))
                await asyncio.sleep(0)  # it starts now, and other callers have their turn
            while under_way:
                results += await _first_answers(under_way)
        return results

    def _passage(self, lane: Lane, batch: BatchPart = NO_BATCH) -> Passage:
        return Passage(lane, self._limits.deliver_within, self._limits.shards, batch)

    async def _identify(self, headers: Mapping[str, str]) -> Caller | Result:
        try:
            return await self._clients.identify(headers)
        except LedgerUnavailableError as error:
            log.warning("intake_unknown", reason=str(error))
            return UNKNOWN

    def _read(self, caller: Caller, bodies: Sequence[Unread]) -> _Part:
        answered: Results = {}
        sends = []
        for place, body in enumerate(bodies):
            send = self._reader.read(caller, place, body)
            if isinstance(send, Send):
                sends.append(send)
            else:
                answered[place] = send
        return _Part(len(bodies), answered, sends, frozenset([send.message_id for send in sends]))

    def _read_rows(self, caller: Caller, rows: Sequence[BatchedSend]) -> _Part:
        part = self._read(caller, [row.send for row in rows])
        numbered = [send.as_row(rows[send.place].row) for send in part.sends]
        return replace(part, sends=numbered)

    async def _take(self, passage: Passage, sends: Sequence[Send]) -> Results:
        if not sends:
            return {}
        try:
            async with asyncio.timeout(_PATIENCE), self._turns.turn():
                return await take_part(self._stores, passage, sends)
        except (LedgerUnavailableError, TimeoutError) as error:
            return unknown(sends, error)


def _may_start(part: _Part, under_way: _UnderWay) -> bool:
    """Return whether a part may be taken beside those under way: of the same requestId twice the first is taken."""
    if len(under_way) == _AHEAD:
        return False
    return all(part.message_ids.isdisjoint(earlier.message_ids) for earlier, _ in under_way)


async def _first_answers(under_way: _UnderWay) -> list[SendResult]:
    part, taking = under_way.popleft()
    return part.in_order(await taking)
