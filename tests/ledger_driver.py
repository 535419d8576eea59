"""Drives a ledger, the model or the real one, from a plain test: no await, and time moves when the test says so."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import uvloop
from redis.asyncio import Redis

from tests.fakes.callbacks import FakeCallbackOutbox
from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.figures import FakeFigures
from tests.fakes.ledger import FakeLedger
from tests.fakes.origins import FakeBatches, FakeCancellations, FakePauses, FakeUpkeep
from tests.ledger_state import LedgerState, state_of_fake, state_of_redis
from worker.adapters.redis.batches import RedisBatches
from worker.adapters.redis.breakers import BreakerTimes, RedisBreakers
from worker.adapters.redis.callback_outbox import RedisCallbackOutbox
from worker.adapters.redis.cancelling import RedisCancellations
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.figures import RedisFigures
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.pauses import RedisPauses
from worker.adapters.redis.records import RedisRecords
from worker.adapters.redis.schedule import RedisSchedule
from worker.adapters.redis.upkeep import RedisUpkeep
from worker.callbacks.ports import Outbox, Queue
from worker.contract.callbacks import NO_OUTCOMES, CallbackSettlement, DueCallback, Outcomes
from worker.contract.cancellations import Cancelled, Standing
from worker.contract.dead_letters import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Discarded,
    Position,
    Replayed,
)
from worker.contract.figures import LedgerFigures
from worker.contract.identity import message_id
from worker.contract.messages import (
    Acceptance,
    Channel,
    Claim,
    DeliveryState,
    DeliveryUpdate,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
    Settled,
    Settlement,
    Verdict,
    WaitReason,
)
from worker.contract.origins import NO_BATCH, BatchPart, BatchRow, BatchTally, Origin, Pause
from worker.contract.outcomes import MessageOutcome
from worker.origin_ports import Batches, Cancellations, Pauses, Upkeep
from worker.ports import DeadLetters, Figures, Ledger, Probe, Records

Result = TypeVar("Result")
START = 1_700_000_000_000
DAY = 86_400_000
ANY = DeadLetterQuery()


class _Subject(Protocol):
    """A ledger whose clock and state a test has access to."""

    ledger: Ledger
    records: Records
    dead_letters: DeadLetters
    figures: Figures
    outbox: Outbox
    pauses: Pauses
    batches: Batches
    upkeep: Upkeep
    cancellations: Cancellations

    def set_now(self, now: int) -> None: ...

    async def state(self) -> LedgerState: ...


class _Model:
    def __init__(self, limits: LedgerLimits, shards: int) -> None:
        self.fake = FakeLedger(limits, shards, START)
        self.ledger: Ledger = self.fake
        self.records: Records = self.fake
        self.dead_letters: DeadLetters = FakeDeadLetters(self.fake)
        outbox = FakeCallbackOutbox(self.fake)
        self.outbox: Outbox = outbox
        self.figures: Figures = FakeFigures(self.fake, outbox)
        self.pauses: Pauses = FakePauses(self.fake)
        self.batches: Batches = FakeBatches(self.fake)
        self.upkeep: Upkeep = FakeUpkeep(self.fake)
        self.cancellations: Cancellations = FakeCancellations(self.fake)

    def set_now(self, now: int) -> None:
        self.fake.now = now

    async def state(self) -> LedgerState:
        return await state_of_fake(self.fake)


class _Real:
    def __init__(self, redis: Redis, limits: LedgerLimits, shards: int) -> None:
        self._redis, self._keys, self._now = redis, Keys(shards), START
        self.ledger: Ledger = RedisLedger(redis, self._keys, limits, lambda: self._now)
        self.records: Records = RedisRecords(redis, self._keys)
        self.dead_letters: DeadLetters = RedisDeadLetters(redis, self._keys, limits, lambda: self._now)
        breakers = RedisBreakers(redis, BreakerTimes(), lambda: self._now)
        self.figures: Figures = RedisFigures(redis, self._keys, breakers, lambda: self._now)
        self.outbox: Outbox = RedisCallbackOutbox(redis, self._keys, lambda: self._now)
        pauses = RedisPauses(redis, self._keys, limits, lambda: self._now)
        batches = RedisBatches(redis, self._keys, limits, lambda: self._now)
        self.pauses: Pauses = pauses
        self.batches: Batches = batches
        self.upkeep: Upkeep = RedisUpkeep(pauses, batches, RedisSchedule(redis, self._keys, lambda: self._now))
        self.cancellations: Cancellations = RedisCancellations(redis, self._keys, limits, lambda: self._now)

    def set_now(self, now: int) -> None:
        self._now = now

    async def state(self) -> LedgerState:
        return await state_of_redis(self._redis, self._keys)


class LedgerDriver:
    """One ledger under test."""

    def __init__(self, subject: _Subject, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        """Start at `START`."""
        self._subject = subject
        self._ledger = subject.ledger
        self._run = run
        self.now = START

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
        self._subject.set_now(self.now)

    def state(self) -> LedgerState:
        """Return everything that can be observed."""
        return self._wait(self._subject.state())

    def accept(
        self,
        messages: Sequence[NewMessage],
        app_id: str = "shop",
        lane: Lane = Lane.BULK,
        told: Outcomes = NO_OUTCOMES,
        part: BatchPart = NO_BATCH,
    ) -> list[Acceptance]:
        """Take messages of one merchant in one lane."""
        return self._wait(self._ledger.accept(app_id, lane, messages, told, part))

    def probe(self, probes: Sequence[Probe]) -> list[Acceptance]:
        """Ask whether messages are known."""
        return self._wait(self._ledger.probe(probes))

    def claim(
        self,
        message_ids: Sequence[str],
        claim_id: str = "claim-1",
        shard: int = 0,
        kind: HintKind = HintKind.NORMAL,
    ) -> list[Claim]:
        """Take messages of a hint."""
        return self._wait(self._ledger.claim(shard, message_ids, claim_id, kind))

    def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Extend leases."""
        return self._wait(self._ledger.renew(claims))

    def note_gateways(self, notes: Sequence[GatewayNote]) -> list[bool]:
        """Write down which gateways are about to be asked."""
        return self._wait(self._ledger.note_gateways(notes))

    def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """End claims."""
        return self._wait(self._ledger.settle(settlements))

    def sweep(self) -> list[Hint]:
        """Hint what is overdue."""
        return self._wait(self._ledger.sweep())

    def release(self, shard: int = 0, lane: Lane = Lane.BULK) -> list[Hint]:
        """Move messages from backlogs to the due index."""
        return self._wait(self._ledger.release([(shard, lane)]))

    def backlogged(self) -> list[tuple[int, Lane]]:
        """Return what has a backlog."""
        return self._wait(self._ledger.backlogged())

    def forget(self) -> int:
        """Erase what is past its retention."""
        return self._wait(self._ledger.forget())

    def letters(self, query: DeadLetterQuery = ANY, most: int = 100, after: Position | None = None) -> DeadLetterPage:
        """Search the dead letters."""
        return self._wait(self._subject.dead_letters.page(query, most, after))

    def find_letters(self, message_ids: Sequence[str]) -> list[DeadLetter | None]:
        """Look dead letters up."""
        return self._wait(self._subject.dead_letters.find(message_ids))

    def replay(self, letters: Sequence[DeadLetter], run: str = "run-1", within: int = DAY) -> list[Replayed]:
        """Open dead letters again."""
        return self._wait(self._subject.dead_letters.replay(letters, run, within))

    def discard(self, letters: Sequence[DeadLetter], run: str = "run-1", reason: str = "no use") -> list[Discarded]:
        """Let dead letters go."""
        return self._wait(self._subject.dead_letters.discard(letters, run, reason))

    def pause(self, origin: Origin) -> bool:
        """Keep an origin's messages from being sent; return whether it was paused before."""
        return self._wait(self._subject.pauses.pause(origin))

    def close(self, batch: Origin) -> None:
        """Pause a batch for good."""
        self._wait(self._subject.pauses.close(batch))

    def resume(self, origin: Origin) -> bool:
        """Let them be sent again; return whether they were paused by it."""
        return self._wait(self._subject.pauses.resume(origin))

    def paused(self) -> list[Pause]:
        """Return what is paused."""
        return self._wait(self._subject.pauses.paused())

    def tally(self, batch: Origin) -> BatchTally:
        """Count a batch."""
        return self._wait(self._subject.batches.tally(batch))

    def rows(self, batch: Origin, first: int, number: int) -> list[BatchRow]:
        """Read a batch by rows."""
        return self._wait(self._subject.batches.rows(batch, first, number))

    def run_batch(self, batch: Origin) -> bool:
        """Let a staged batch go."""
        return self._wait(self._subject.batches.run(batch))

    def withdraw(self, batch: Origin) -> bool:
        """Take a staged batch back."""
        return self._wait(self._subject.batches.withdraw(batch))

    def forget_batch(self, batch: Origin) -> None:
        """Forget that a batch was paused or resumed."""
        self._wait(self._subject.batches.forget(batch))

    def cancel(self, message_ids: Sequence[str], app_id: str = "shop", reason: str = "") -> list[Cancelled]:
        """End messages that were not sent."""
        return self._wait(self._subject.cancellations.cancel(app_id, message_ids, reason))

    def cancel_all(self, origin: Origin, reason: str = "") -> Counter[Cancelled]:
        """End all that an origin has open and was not sent."""

        async def main() -> Counter[Cancelled]:
            total = Counter[Cancelled]()
            async for codes in self._subject.cancellations.cancel_all(origin, reason):
                total += codes
            return total

        return self._wait(main())

    def standing(self, origin: Origin) -> Standing:
        """Count what an origin has open."""
        return self._wait(self._subject.cancellations.standing(origin))

    def look_after(self) -> list[Hint]:
        """End what waits in vain."""
        return self._wait(self._subject.upkeep.look_after())

    def figures(self) -> LedgerFigures:
        """Return the ledger in numbers."""
        return self._wait(self._subject.figures.read())

    def due_callbacks(self) -> list[Queue]:
        """Return the queues of callbacks that have something due."""
        return self._wait(self._subject.outbox.due())

    def claim_callbacks(self, places: Mapping[Queue, int] | None = None, lease: int = 1_000) -> list[DueCallback]:
        """Take callbacks; without `places`, all that are due."""
        wanted = dict.fromkeys(self.due_callbacks(), 100) if places is None else places
        return self._wait(self._subject.outbox.claim(wanted, lease))

    def settle_callbacks(self, settlements: Sequence[CallbackSettlement]) -> list[bool]:
        """End claims of callbacks."""
        return self._wait(self._subject.outbox.settle(settlements))

    def own_merchants(self, app_ids: Sequence[str], process: str, lease: int = 1_000) -> list[bool]:
        """Take the right to call merchants back."""
        return self._wait(self._subject.outbox.own(app_ids, process, lease))

    def twice_at_once(self, operation: Callable[[Ledger], Awaitable[Result]]) -> list[Result]:
        """Let two workers do the same at the same time."""

        async def both() -> list[Result]:
            await asyncio.gather(self._ledger.backlogged(), self._ledger.backlogged())  # so that both are connected
            return list(await asyncio.gather(operation(self._ledger), operation(self._ledger)))

        return self._wait(both())

    def find(self, message_id: str) -> MessageOutcome:
        """Look one known message up."""
        (outcome,) = self._wait(self._subject.records.find([message_id]))
        assert outcome is not None
        return outcome

    def _wait(self, operation: Coroutine[Any, Any, Result]) -> Result:
        result: Result = self._run(operation)
        return result


OpenLedger = Callable[..., LedgerDriver]
"""Gives an empty ledger; `shards` (default 1) and any of the LedgerLimits by name."""


@contextmanager
def model(limits: LedgerLimits, shards: int = 1) -> Iterator[LedgerDriver]:
    """Drive the model."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield LedgerDriver(_Model(limits, shards), runner.run)


@contextmanager
def real(redis_url: str, limits: LedgerLimits, shards: int = 1) -> Iterator[LedgerDriver]:
    """Drive the ledger in an emptied Redis."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        redis = Redis.from_url(redis_url)
        runner.run(_flush(redis))
        try:
            yield LedgerDriver(_Real(redis, limits, shards), runner.run)
        finally:
            runner.run(redis.aclose())


async def _flush(redis: Redis) -> None:
    await redis.flushdb()


def new_message(
    request_id: str,
    app_id: str = "shop",
    *,
    channels: Iterable[Channel] = (Channel.PUSH,),
    skipped: Iterable[Channel] = (),
    fingerprint: str = "content",
    user: str = "user",
) -> NewMessage:
    """Return a message as intake hands it over; it expires after a day."""
    return NewMessage(
        message_id=message_id(app_id, request_id),
        request_id=request_id,
        fingerprint=fingerprint,
        user=user,
        client_id="client",
        template_code="PAY",
        template_version=3,
        language="en",
        channels=tuple(channels),
        skipped=tuple(skipped),
        deliver_within=DAY,
        payload=f"payload of {request_id}".encode(),
    )


def new_messages(number: int, app_id: str = "shop", prefix: str = "r") -> list[NewMessage]:
    """Return so many messages of one merchant."""
    return [new_message(f"{prefix}{index}", app_id) for index in range(number)]


def expiring(request_id: str, within: int, app_id: str = "shop") -> NewMessage:
    """Return a message that expires after `within` milliseconds."""
    return replace(new_message(request_id, app_id), deliver_within=within)


def ids(messages: Iterable[NewMessage]) -> list[str]:
    """Return the messages' ids, in order."""
    return [message.message_id for message in messages]


def waiting(messages: Iterable[NewMessage]) -> tuple[str, ...]:
    """Return the ids of messages taken at one moment in the order in which they leave a backlog."""
    return tuple(sorted(ids(messages)))


def hinted(hints: Iterable[Hint]) -> list[str]:
    """Return the ids that hints name, in order."""
    return [message_id for hint in hints for message_id in hint.message_ids]


def learnt(state: DeliveryState, code: str = "", message: str = "", channel: Channel = Channel.PUSH) -> DeliveryUpdate:
    """Return what a claim learnt of a channel."""
    return DeliveryUpdate(channel, state, code, message)


def final(claim: Claim, *updates: DeliveryUpdate) -> Settlement:
    """Return the end of a message; without updates, PUSH was delivered."""
    known = updates or (learnt(DeliveryState.S),)
    return Settlement(claim.message_id, claim.claim_id, claim.attempt, Verdict.FINAL, known, tries=1, worker="w1")


def retry(claim: Claim, delay: int = 1_000, *updates: DeliveryUpdate) -> Settlement:
    """Return an end that comes back after `delay` milliseconds; without updates, PUSH got no answer."""
    return Settlement(
        message_id=claim.message_id,
        claim_id=claim.claim_id,
        attempt=claim.attempt,
        verdict=Verdict.RETRY,
        updates=updates or (learnt(DeliveryState.OPEN, "UNANSWERED", "time-out"),),
        tries=1,
        delay=delay,
        worker="w1",
    )


def defer(claim: Claim, delay: int = 1_000, *updates: DeliveryUpdate) -> Settlement:
    """Return an end that waits for the user's quiet hours to be over, `delay` milliseconds."""
    return replace(
        retry(claim, delay),
        verdict=Verdict.DEFER,
        updates=updates,
        tries=int(bool(updates)),
        cause=WaitReason.QUIET_HOURS,
    )


def dead(claim: Claim, *updates: DeliveryUpdate, cause: str = "TRIES") -> Settlement:
    """Return the end of a message that nobody tries again; without updates, PUSH failed for good."""
    return Settlement(
        message_id=claim.message_id,
        claim_id=claim.claim_id,
        attempt=claim.attempt,
        verdict=Verdict.DEAD,
        updates=updates or (learnt(DeliveryState.F, "PROCESS_FAIL", "gave up"),),
        tries=1,
        cause=cause,
        worker="w1",
    )
