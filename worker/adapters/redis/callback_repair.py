"""Puts callbacks where their records say they belong, while workers run."""

from collections.abc import Sequence

from redis.asyncio import Redis

from worker.adapters.redis.callback_members import member_of, record_of
from worker.adapters.redis.callback_reading import by_merchant, places_of
from worker.adapters.redis.keys import Keys, Slot
from worker.adapters.redis.scripts import Call, Script, run
from worker.adapters.redis.times import Now, server_time
from worker.contract.audits import ShardAudit
from worker.contract.callbacks import CallbackKey
from worker.contract.repairs import CallbackMend, MendedCallback

_CALLBACKS = Script.read("repair_callbacks")


class CallbackRepair:
    """Mends what an audit found of callbacks, each looked at once more by the script that does it."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call. `now` gives the time for tests."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def mend(self, audit: ShardAudit) -> tuple[tuple[MendedCallback, ...], tuple[str, ...]]:
        """Return the callbacks that were mended, and the appIds whose queue its index names again."""
        faults = {one.key: one for one in audit.callbacks}
        parts: list[tuple[str, Sequence[CallbackKey]]] = [(chunk[0].app_id, chunk) for chunk in by_merchant(faults)]
        parts += ((app_id, ()) for app_id in audit.unlisted if app_id not in {app for app, _ in parts})
        answers = await run(self._redis, [self._call(audit.shard, *part) for part in parts]) if parts else []
        mended: list[MendedCallback] = []
        queues = dict.fromkeys(app_id for (app_id, _), (listed, *_) in zip(parts, answers, strict=True) if listed)
        for (_, chunk), (_, *codes) in zip(parts, answers, strict=True):
            found = zip(chunk, map(CallbackMend, codes), strict=True)
            mended += (MendedCallback(faults[key], mend) for key, mend in found if mend is not CallbackMend.NOTHING)
        return tuple(mended), tuple(queues)

    def _call(self, slot: Slot, app_id: str, callbacks: Sequence[CallbackKey]) -> Call:
        records = [record_of(self._keys, key) for key in callbacks]
        arguments = [self._now(), app_id, *map(member_of, callbacks)]
        return Call(_CALLBACKS, [*places_of(self._keys, slot, app_id), *records], arguments)
