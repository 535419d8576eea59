"""Reads the callbacks of a shard, or of the batch jobs, for an audit: where each waits, and what its record says."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.asyncio import Redis

from worker.adapters.redis.callback_members import key_in, key_of, member_of, record_of
from worker.adapters.redis.job_keys import JOBS_KEY
from worker.adapters.redis.keys import Keys, Slot
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, run
from worker.batching import chunks, grouped
from worker.contract.callback_audits import CallbackPlaces, MisplacedCallback
from worker.contract.callbacks import CallbackKey, CallbackState, ProgressKey
from worker.contract.messages import CHUNK
from worker.contract.origins import Origin
from worker.contract.progress import THRESHOLDS

_AUDIT = Script.read("audit_callbacks")
_CALLS = 10
"""Scripts in one round trip."""
_SCAN = 5_000


class CallbackReader:
    """Reads Redis; raises its errors."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys

    async def misplaced(self, slot: Slot, untold: Iterable[CallbackKey]) -> tuple[list[MisplacedCallback], list[str]]:
        """Return the callbacks whose place is wrong, and the appIds whose queue no index names.

        Looked at are those that are to be told as far as their records know, and whatever waits or was given up.
        """
        keys = dict.fromkeys(untold) | dict.fromkeys(await self._waiting(slot))
        found: list[MisplacedCallback] = []
        unlisted: dict[str, None] = {}
        for part in chunks(by_merchant(keys), _CALLS):
            answers = await run(self._redis, [self._call(slot, chunk) for chunk in part])
            for chunk, (is_unlisted, *rows) in zip(part, answers, strict=True):
                if is_unlisted:
                    unlisted[chunk[0].app_id] = None
                faults = ((key, _places(key, row).fault) for key, row in zip(chunk, rows, strict=True))
                found += (MisplacedCallback(key, fault) for key, fault in faults if fault is not None)
        return found, list(unlisted)

    async def of_jobs(self) -> list[ProgressKey]:
        """Return everything that can be told of batch jobs."""
        origins = [Origin.read(member) for member in await self._members(JOBS_KEY)]
        return [ProgressKey(*origin, percentage) for origin in origins for percentage in THRESHOLDS]

    async def _waiting(self, slot: Slot) -> list[CallbackKey]:
        keys = self._keys
        entries = [*await self._members(keys.outbox(slot)), *await self._members(keys.uncalled(slot))]
        queued = [
            key_of(slot, app_id, member)
            for app_id in await self._members(keys.callbacks(slot))
            for member in await self._members(keys.callbacks_of(slot, app_id))
        ]
        return [*(key_in(slot, entry) for entry in entries), *queued]

    async def _members(self, key: str) -> list[str]:
        return [text(member) async for member, _ in self._redis.zscan_iter(key, count=_SCAN)]

    def _call(self, slot: Slot, callbacks: Sequence[CallbackKey]) -> Call:
        app_id = callbacks[0].app_id
        records = [record_of(self._keys, key) for key in callbacks]
        return Call(_AUDIT, [*places_of(self._keys, slot, app_id), *records], [app_id, *map(member_of, callbacks)])


def by_merchant(callbacks: Iterable[CallbackKey]) -> list[Sequence[CallbackKey]]:
    """Return callbacks in chunks of one merchant each."""
    merchants: Mapping[str, Sequence[CallbackKey]] = grouped(callbacks, lambda key: key.app_id)
    return [chunk for found in merchants.values() for chunk in chunks(found, CHUNK)]


def places_of(keys: Keys, slot: Slot, app_id: str) -> list[str]:
    """Return the keys of what holds a merchant's callbacks: outbox, index of queues, queue, those given up."""
    return [keys.outbox(slot), keys.callbacks(slot), keys.callbacks_of(slot, app_id), keys.uncalled(slot)]


def _places(key: CallbackKey, row: Sequence[Any]) -> CallbackPlaces:
    callback, push, inbox, history, told = (text(value or b"") for value in row[:5])
    wanted, _, newest = callback.partition("|")
    number = member_of(key).rpartition("#")[2]
    states = push[:1] + inbox[:1]
    outcome = next((state for state in "UF" if state in states), "S")
    ended, state = (*history.split("|", 2), "", "")[:2]
    return CallbackPlaces(
        is_told=newest == number and "O" not in states and bool(told or outcome in wanted),
        state=CallbackState(state) if state and ended == number else None,
        outboxed=bool(row[5]),
        queued=bool(row[6]),
        given_up=bool(row[7]),
    )
