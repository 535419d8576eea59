"""Reads the whole ledger for an audit or a repair: which messages there are, where they are, what their records say."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.replies import batch_tallies_of, tallies_of, text
from worker.adapters.redis.scripts import Call, Script, run
from worker.batching import chunks
from worker.contract.audits import Home, Misplaced
from worker.contract.callbacks import CallbackState, OutcomeKey
from worker.contract.counting import BatchTallies, Tallies
from worker.contract.messages import CHUNK, Channel, DeliveryState, Lane
from worker.contract.origins import BatchTally, Origin
from worker.contract.outcomes import Reason, Tally

_AUDIT = Script.read("audit_messages")
_CALLS = 10
"""Scripts in one round trip."""
_SCAN = 5_000
_OWN, _STRAY = 1, 2
"""Bits of the script's answer: the message's own member of an index is there, and another one that names it."""
_COUNTED = {
    DeliveryState.OPEN: Tally(accepted=1, open=1),
    DeliveryState.S: Tally(accepted=1, S=1),
    DeliveryState.F: Tally(accepted=1, F=1),
    DeliveryState.U: Tally(accepted=1, U=1),
}
"""What a channel's state adds to the counters; a skipped one adds nothing."""

_OF_A_BATCH = {status: BatchTally(taken=1, **{status: 1}) for status in ("open", "S", "F", "U")}
"""What a message adds to the counters of its batch, by its whole outcome."""
_OVER = (CallbackState.DELIVERED, CallbackState.DEAD)

Place: TypeAlias = tuple[Lane, Origin]
"""Lane and origin: whose backlog it is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The members of a shard's windows, of what waits for a retry and of the schedule, by the ids they name.

    One where an id is named twice.
    """

    window: Mapping[str, str]
    waiting: Mapping[str, str]
    scheduled: Mapping[str, str] = field(default_factory=dict)
    plans: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        """Every id that is named."""
        return {*self.window, *self.waiting, *self.scheduled, *self.plans}

    def of(self, message_id: str) -> tuple[str, str, str]:
        """Return the members that name a message, empty where none does: window, waiting, the schedule."""
        plan = self.scheduled.get(message_id) or self.plans.get(message_id, "")
        return self.window.get(message_id, ""), self.waiting.get(message_id, ""), plan


@dataclass(slots=True)
class Reading:
    """What the records of a shard say."""

    records: int = 0
    tallies: dict[tuple[str, Channel], Tally] = field(default_factory=lambda: defaultdict(Tally))
    misplaced: list[Misplaced] = field(default_factory=list)
    batches: dict[Origin, BatchTally] = field(default_factory=lambda: defaultdict(BatchTally))
    callbacks: list[OutcomeKey] = field(default_factory=list)
    """Those that are to be told, as far as the records know."""


class LedgerReader:
    """Reads Redis; raises its errors."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys

    async def recorded(self) -> dict[int, set[str]]:
        """Return the ids of all records by shard: one pass over the whole keyspace."""
        ids: dict[int, set[str]] = defaultdict(set)
        async for key in self._redis.scan_iter(match=self._keys.any_message(), count=_SCAN):
            shard, message_id = self._keys.of_message(text(key))
            ids[shard].add(message_id)
        return ids

    async def survey(self, shard: int, recorded: Collection[str]) -> Reading:
        """Read all of a shard: the records named, and whatever its indexes name that was taken since."""
        seen = await self.seen(shard)
        ids = {*recorded, *seen.ids, *await self.indexed(shard)}
        # After the ids: a message that is released meanwhile must not seem to have no home.
        backlogged = await self._backlogged(shard)
        return await self._read(shard, ids | backlogged, backlogged, seen)

    async def still_misplaced(self, shard: int, ids: Collection[str], seen: Seen) -> list[Misplaced]:
        """Look once more at messages that seemed misplaced; `seen` was read before this."""
        return (await self._read(shard, ids, await self._backlogged(shard), seen)).misplaced

    async def indexed(self, shard: int) -> set[str]:
        """Return the ids that the indexes of a shard name, but for backlogs and what `seen` returns."""
        keys = self._keys
        indexes = keys.due, keys.retention, keys.dead, keys.unanswered, keys.unknown
        return {member for index in indexes for member in await self._members(index(shard))}

    async def seen(self, shard: int) -> Seen:
        """Return what a shard's windows and its schedule name, and what waits."""
        keys = self._keys
        return Seen(
            window=await self._named(keys.window(shard)),
            waiting=await self._named(keys.waiting(shard)),
            scheduled=await self._named(keys.scheduled(shard), 1),
            plans=await self._named(keys.plans(shard), 1),
        )

    async def _named(self, key: str, behind: int = 0) -> dict[str, str]:
        """Return the members of an index by the id in them, which so many parts follow."""
        return {member.split("#")[-1 - behind]: member for member in await self._members(key)}

    async def backlogs(self, shard: int) -> dict[Place, set[str]]:
        """Return what the backlogs hold; one that its index does not list is never released, so it is no home."""
        found = {}
        keys = self._keys
        for lane in Lane:
            for origin in await self._listed(shard, lane):
                found[lane, origin] = set(await self._members(keys.backlog(shard, lane, origin)))
        return found

    async def _listed(self, shard: int, lane: Lane) -> set[Origin]:
        """Return the origins whose backlogs are listed where they must be: paused ones apart from the others."""
        keys = self._keys
        running, stopped, paused = [
            set(map(Origin.read, await self._members(index)))
            for index in (keys.backlogs(shard, lane), keys.stopped(shard, lane), keys.paused(shard))
        ]
        return {one for one in running | stopped if (one in stopped) == (not paused.isdisjoint(one.pausing))}

    async def tallies(self, shard: int) -> Tallies:
        """Return the counters of a shard."""
        return tallies_of([await self._redis.hgetall(self._keys.counters(shard))])

    async def batch_tallies(self, shard: int) -> BatchTallies:
        """Return the counters of the batches of a shard."""
        return batch_tallies_of(await self._redis.hgetall(self._keys.batches(shard)))

    async def _read(self, shard: int, ids: Collection[str], backlogged: Collection[str], seen: Seen) -> Reading:
        """Read the records of messages, each with the due index, the window and what waits at one instant."""
        reading = Reading()
        for part in chunks(sorted(ids), CHUNK * _CALLS):
            calls = [self._call(shard, chunk, seen) for chunk in chunks(part, CHUNK)]
            rows = [row for rows in await run(self._redis, calls) for row in rows]
            for message_id, row in zip(part, rows, strict=True):
                _add(reading, message_id, row, backlogged=message_id in backlogged)
        return reading

    async def _backlogged(self, shard: int) -> set[str]:
        return set[str]().union(*(await self.backlogs(shard)).values())

    async def _members(self, key: str) -> list[str]:
        return [text(member) async for member, _ in self._redis.zscan_iter(key, count=_SCAN)]

    def _call(self, shard: int, ids: Sequence[str], seen: Seen) -> Call:
        keys = self._keys
        indexes = keys.due, keys.window, keys.waiting, keys.unanswered, keys.unknown, keys.scheduled, keys.plans
        shared = [index(shard) for index in (*indexes, keys.retention, keys.dead, keys.rows)]
        records = keys.messages(shard, ids)
        return Call(
            _AUDIT, shared + records, [part for message_id in ids for part in (message_id, *seen.of(message_id))]
        )


def _add(reading: Reading, message_id: str, row: Sequence[Any], *, backlogged: bool) -> None:
    app_id, request_id, *fields = (text(value or b"") for value in row[:4])
    states = dict(_states(fields))
    dead = bool(row[9])
    ended = bool(app_id) and DeliveryState.OPEN not in states.values()
    # Whether an index names it, and whether its record asks for that.
    listed = {
        (bool(row[7]), any(map(_misses_answer, fields))),
        (bool(row[8]), dead and DeliveryState.U in states.values()),
        (bool(row[11]), bool(row[10])),
        (bool(row[15]), ended and not dead),
        (bool(row[16]), ended and dead),
        (False, bool(row[17])),
    }
    reading.records += bool(app_id)
    for channel, state in states.items():
        if state in _COUNTED:
            reading.tallies[app_id, channel] += _COUNTED[state]
    home = Home(
        recorded=bool(app_id),
        open=DeliveryState.OPEN in states.values(),
        due=bool(row[4]),
        backlogged=backlogged,
        windowed=bool(row[5] & _OWN),
        waiting=bool(row[6] & _OWN),
        strayed=bool((row[5] | row[6]) & _STRAY),
        scheduled=bool(row[10]),
        unlisted=(False, True) in listed,
        listed_still=(True, False) in listed,
    )
    if home.fault is not None:
        reading.misplaced.append(Misplaced(message_id, app_id, request_id, home.fault))
    batch_id, callback, told = (text(value or b"") for value in row[12:15])
    whole = _whole(states.values())
    if batch_id:
        reading.batches[Origin(app_id, batch_id)] += _OF_A_BATCH[whole]
    finality = _untold(whole, callback, told)
    if finality:
        reading.callbacks.append(OutcomeKey(app_id, message_id, finality))


def _whole(states: Collection[DeliveryState]) -> str:
    """Return the outcome of a message by its channels' (R73)."""
    if DeliveryState.OPEN in states:
        return "open"
    return next((state.value for state in (DeliveryState.U, DeliveryState.F) if state in states), DeliveryState.S.value)


def _untold(whole: str, callback: str, told: str) -> int:
    """Return the number of the outcome that is to be told and is not yet; 0: there is none."""
    wanted, _, finality = callback.partition("|")
    ended, state = (*told.split("|", 2), "", "")[:2]
    is_over = ended == finality and state in _OVER
    return 0 if not callback or whole not in wanted or is_over else int(finality)


def _misses_answer(field: str) -> bool:
    return field.startswith(DeliveryState.OPEN) and field.split("|", 3)[2:3] == [Reason.UNANSWERED]


def _states(fields: Sequence[str]) -> Iterator[tuple[Channel, DeliveryState]]:
    for channel, channel_field in zip(Channel, fields, strict=True):
        if channel_field:
            yield channel, DeliveryState(channel_field[0])
