"""Every message that was taken in a span of time: one pass over the whole keyspace, a chunk at a time."""

from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.records import RedisRecords
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import execute, redis_answers
from worker.contract.settlements import Span, Taken

_SCAN = 2_000
"""Keys that Redis looks at in one round trip."""


class RedisSettlement:
    """Reads records. Changes nothing, and costs intake and delivery nothing: there is no index of days.

    What is there from the beginning of the pass to its end is found at least once; Redis may give a key twice, as it
    makes its table larger or smaller meanwhile.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._records = RedisRecords(redis, keys)

    async def taken(self, span: Span) -> AsyncIterator[Taken]:
        """Yield what was taken in the span, of one appId or all; raise LedgerUnavailableError."""
        cursor = 0
        while True:
            with redis_answers():
                cursor, keys = await self._redis.scan(cursor, match=self._keys.any_message(), count=_SCAN)
            ids = await self._in_span([text(key) for key in keys], span)
            found = await self._records.find(ids) if ids else []
            yield Taken(len(keys), tuple(outcome for outcome in found if outcome is not None))
            if not cursor:
                return

    async def _in_span(self, keys: Sequence[str], span: Span) -> list[str]:
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hmget(key, "app", "taken")
        rows = await execute(pipeline) if keys else []
        return [
            self._keys.of_message(key)[1]
            for key, (app_id, taken) in zip(keys, rows, strict=True)
            if app_id is not None and span.holds(text(app_id), int(taken))
        ]
