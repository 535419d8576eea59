"""Callbacks in memory: registrations, an outbox on the model of the ledger, and merchants who answer as told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.fakes.ledger import FakeLedger
from tests.fakes.outage import Outage
from worker.callbacks.ports import Queue, Reply
from worker.contract.callbacks import (
    BatchProgress,
    CallbackKey,
    CallbackRegistration,
    CallbackSettlement,
    CallbackVerdict,
    Disabled,
    DueCallback,
    FinalMessage,
    OutcomeKey,
    ProgressKey,
    Told,
)
from worker.contract.identity import shard_of
from worker.contract.messages import DeliveryState

OK = Reply(200, "HTTP 200")


class FakeCallbackRegistry(Outage):
    """Implements `registry_ports.CallbackRegistry`."""

    def __init__(self, *registrations: CallbackRegistration) -> None:
        """Hold these; `registrations` may be changed later."""
        self.registrations = {one.app_id: one for one in registrations}

    async def all(self) -> Mapping[str, CallbackRegistration]:
        """Return every registration by its appId."""
        self.answer()
        return dict(self.registrations)

    async def disable(self, app_id: str, url: str, reason: str) -> None:
        """Tell a merchant nothing any more, unless it registered another URL since."""
        self.answer()
        known = self.registrations.get(app_id)
        if known is not None and known.url == url:
            self.registrations[app_id] = known.disabled_by(Disabled(0, reason))


@dataclass(slots=True)
class _Entry:
    due_at: int
    since: int | None = None
    tries: int = 0


class FakeCallbackOutbox:
    """Implements `callbacks.ports.Outbox` over the model of the ledger, whose clock and outages are its own."""

    def __init__(self, ledger: FakeLedger) -> None:
        """Begin with empty queues."""
        self.ledger = ledger
        self.queues: dict[CallbackKey, _Entry] = {}
        self.progress: dict[ProgressKey, BatchProgress] = {}
        """What is told of batch jobs, until they are forgotten."""
        self.passed: list[ProgressKey] = []
        """The outbox beside the batch jobs."""
        self.owners: dict[str, tuple[str, int]] = {}
        self.delivered: list[CallbackKey] = []
        self.dead: dict[CallbackKey, str] = {}
        """Those that were given up, and why."""
        self.died: dict[CallbackKey, int] = {}
        """When they were."""

    async def due(self) -> list[Queue]:
        """Put what became final into its merchants' queues; return the queues that have something to be looked at."""
        await self.ledger.ping()
        for outbox in (self.ledger.outbox, self.passed):
            self.queues |= {key: _Entry(self.ledger.now) for key in outbox}
            outbox.clear()
        due = [key for key, entry in self.queues.items() if entry.due_at <= self.ledger.now]
        return sorted({_queue_of(key, self.ledger.shards) for key in due}, key=str)

    async def own(self, app_ids: Sequence[str], process: str, lease: int) -> list[bool]:
        """Take the right to call merchants back, for `lease` milliseconds; False where another process has it."""
        await self.ledger.ping()
        return [self._own(app_id, process, lease) for app_id in app_ids]

    def _own(self, app_id: str, process: str, lease: int) -> bool:
        owner, until = self.owners.get(app_id, (process, 0))
        free = owner == process or until <= self.ledger.now
        if free:
            self.owners[app_id] = (process, self.ledger.now + lease)
        return free

    async def claim(self, queues: Mapping[Queue, int], lease: int) -> list[DueCallback]:
        """Take of each queue at most so many callbacks for `lease` milliseconds."""
        await self.ledger.ping()
        return [callback for queue, most in queues.items() for callback in self._claim(queue, most, lease)]

    def _claim(self, queue: Queue, most: int, lease: int) -> list[DueCallback]:
        waiting = sorted(
            (
                (entry.due_at, _member(key), key)
                for key, entry in self.queues.items()
                if _queue_of(key, self.ledger.shards) == queue
            ),
            key=lambda one: one[:2],
        )
        found = (self._take(key, lease) for due_at, _, key in waiting[:most] if due_at <= self.ledger.now)
        return [callback for callback in found if callback is not None]

    def _take(self, key: CallbackKey, lease: int) -> DueCallback | None:
        entry = self.queues[key]
        told = self._told(key)
        if told is None:
            del self.queues[key]
            return None
        entry.due_at = self.ledger.now + lease
        return DueCallback(told, entry.due_at, entry.since or told.at, entry.tries)

    def _told(self, key: CallbackKey) -> Told | None:
        return self._final(key) if isinstance(key, OutcomeKey) else self.progress.get(key)

    def _final(self, key: OutcomeKey) -> FinalMessage | None:
        record = self.ledger.records.get(key.message_id)
        states = {one.state for one in record.deliveries.values()} if record else set()
        if record is None or record.finality != key.finality or DeliveryState.OPEN in states:
            return None
        outcome = record.outcome()
        batch_id = record.origin.batch_id
        return FinalMessage(key, outcome.request_id, outcome.taken_at, outcome.expires_at, outcome.deliveries, batch_id)

    async def settle(self, settlements: Sequence[CallbackSettlement]) -> list[bool]:
        """End claims; False where another claim has the callback and nothing was changed."""
        await self.ledger.ping()
        return [self._settle(settlement) for settlement in settlements]

    def _settle(self, settlement: CallbackSettlement) -> bool:
        callback, verdict = settlement.callback, settlement.verdict
        entry = self.queues.get(callback.key)
        if entry is None or (verdict is not CallbackVerdict.DELIVERED and entry.due_at != callback.lease_until):
            return False
        entry.due_at = self.ledger.now + settlement.delay
        entry.since, entry.tries = callback.since, callback.tries + settlement.tries
        if verdict is CallbackVerdict.DELIVERED:
            self.delivered.append(callback.key)
        if verdict is CallbackVerdict.DEAD and self._told(callback.key) is not None:
            self.dead[callback.key] = settlement.detail
            self.died[callback.key] = self.ledger.now
        if verdict in (CallbackVerdict.DELIVERED, CallbackVerdict.DEAD):
            del self.queues[callback.key]
        return True


def _queue_of(key: CallbackKey, shards: int) -> Queue:
    return (shard_of(key.message_id, shards) if isinstance(key, OutcomeKey) else "jobs"), key.app_id


def _member(key: CallbackKey) -> str:
    return f"{key.subject}#{key.finality if isinstance(key, OutcomeKey) else key.percentage}"


@dataclass(frozen=True, slots=True)
class Post:
    """One call as a merchant sees it."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Return the webhook-id."""
        return self.headers["webhook-id"]


class FakePoster:
    """Implements `callbacks.ports.Poster`: each URL answers its `replies` in turn, then OK."""

    def __init__(self) -> None:
        """Begin with merchants who take everything."""
        self.posts: list[Post] = []
        self.taken: list[Post] = []
        """Those that were answered OK."""
        self.replies: dict[str, list[Reply]] = {}
        self.hanging: dict[str, asyncio.Event] = {}
        """URLs that answer once their event is set."""
        self.at_once: dict[str, int] = {}
        self.most_at_once: dict[str, int] = {}

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Note the call and answer it."""
        post = Post(url, headers, body)
        self.posts.append(post)
        self.at_once[url] = self.at_once.get(url, 0) + 1
        self.most_at_once[url] = max(self.most_at_once.get(url, 0), self.at_once[url])
        try:
            await asyncio.sleep(0)
            if url in self.hanging:
                await self.hanging[url].wait()
        finally:
            self.at_once[url] -= 1
        replies = self.replies.get(url)
        reply = replies.pop(0) if replies else OK
        if reply == OK:
            self.taken.append(post)
        return reply

    def to(self, url: str) -> list[Post]:
        """Return the calls of one merchant."""
        return [post for post in self.posts if post.url == url]
