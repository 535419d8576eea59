"""Callbacks that were given up, in Redis: listed, made again from the start, or let go."""

from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.callback_members import entry_of, key_in, record_of, slot_of
from worker.adapters.redis.keys import Keys, Slot
from worker.adapters.redis.records import delivery
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, redis_answers, run_each
from worker.adapters.redis.times import Now, server_time
from worker.contract.callbacks import CallbackKey, DeadCallback
from worker.contract.messages import Channel
from worker.contract.outcomes import WholeOutcome

_RELEASE = Script.read("release_dead_callbacks")
_FIELDS = ("req", "exp", "PUSH", "INBOX", "cbs")
_SCAN = 1_000


class RedisDeadCallbacks:
    """Reads and changes Redis; raises LedgerUnavailableError when it did not answer."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call. `now` gives the time for tests."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def newest(self, most: int, app_id: str | None = None) -> list[DeadCallback]:
        """Return the ones that were given up last, of one merchant or all; the newest first."""
        if app_id is None:
            found = await self._heads(most)
        else:
            found = [entry async for entry in self._entries(f"{app_id}#*")]
        latest = sorted(found, key=lambda entry: (entry[1], entry_of(entry[0])), reverse=True)[:most]
        return await self._described(latest)

    async def _heads(self, most: int) -> list[tuple[CallbackKey, int]]:
        slots = self._keys.slots()
        pipeline = self._redis.pipeline(transaction=False)
        for slot in slots:
            pipeline.zrange(self._keys.uncalled(slot), 0, most - 1, desc=True, withscores=True)
        found = zip(slots, await execute(pipeline), strict=True)
        return [(key_in(slot, text(entry)), int(at)) for slot, entries in found for entry, at in entries]

    async def find(self, subjects: Sequence[str]) -> list[DeadCallback]:
        """Return those of messages and batches, by messageId and batchId, that have one."""
        wanted = set(subjects)
        return await self._described([entry async for entry in self._entries("*") if entry[0].subject in wanted])

    async def every(self, app_id: str | None = None) -> list[CallbackKey]:
        """Return the names of all, of one merchant or of all."""
        pattern = "*" if app_id is None else f"{app_id}#*"
        return [key async for key, _ in self._entries(pattern)]

    async def replay(self, keys: Sequence[CallbackKey]) -> list[bool]:
        """Make callbacks again, from the start; False for one that is not among the dead."""
        return await self._release("replay", keys)

    async def discard(self, keys: Sequence[CallbackKey]) -> list[bool]:
        """Let callbacks go for good; False for one that is not among the dead."""
        return await self._release("discard", keys)

    async def _release(self, what: str, keys: Sequence[CallbackKey]) -> list[bool]:
        def call(slot: Slot, chunk: Sequence[CallbackKey]) -> Call:
            shared = [self._keys.uncalled(slot), self._keys.outbox(slot)]
            records = [record_of(self._keys, key) for key in chunk]
            return Call(_RELEASE, shared + records, [self._now(), what, *map(entry_of, chunk)])

        codes = await run_each(self._redis, keys, [slot_of(self._keys, key) for key in keys], call)
        return [bool(code) for code in codes]

    async def _entries(self, pattern: str) -> AsyncIterator[tuple[CallbackKey, int]]:
        with redis_answers():
            for slot in self._keys.slots():
                async for entry, at in self._redis.zscan_iter(
                    self._keys.uncalled(slot), match=_escaped(pattern), count=_SCAN
                ):
                    yield key_in(slot, text(entry)), int(at)

    async def _described(self, found: Sequence[tuple[CallbackKey, int]]) -> list[DeadCallback]:
        pipeline = self._redis.pipeline(transaction=False)
        for key, _ in found:
            pipeline.hmget(record_of(self._keys, key), _FIELDS)
        rows = await execute(pipeline) if found else []
        return [_dead(key, at, row) for (key, at), row in zip(found, rows, strict=True)]


def _escaped(pattern: str) -> str:
    """Return a pattern in which only a `*` at the end means something: an appId may hold any character but `#?@`."""
    fixed = pattern.removesuffix("*")
    return "".join(f"\\{character}" if character in "*[]\\^-" else character for character in fixed) + "*"


def _dead(key: CallbackKey, died_at: int, row: Sequence[bytes | None]) -> DeadCallback:
    request_id, expires, push, inbox, history = (text(field or b"") for field in row)
    fields = ((Channel.PUSH, push), (Channel.INBOX, inbox))
    deliveries = tuple(delivery(channel, field) for channel, field in fields if field)
    tries, detail = (*history.split("|", 5), *[""] * 6)[4:6]
    status = WholeOutcome.of(deliveries, int(expires)).status if deliveries else None
    return DeadCallback(key, died_at, request_id, status, int(tries or 0), detail)
