"""Every message that was taken in a span of time: one pass over the whole keyspace, a chunk at a time."""

from collections.abc import AsyncIterator, Sequence

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.marshalling import read_template
from worker.adapters.redis.records import delivery
from worker.adapters.redis.replies import raw
from worker.adapters.redis.scripts import Call, Script, redis_answers, run_each
from worker.contract.messages import Channel, Lane
from worker.contract.settlements import Span, Taken, TakenMessage

_READ = Script.read("read_taken")
_SCAN = 4_000
"""Keys that Redis looks at in one round trip: 1 ms, in which nobody else is served."""
_CHANNELS = tuple(Channel)
_FIELDS = ("req", "app", "taken", "exp", "dead", "attempt", "lane", "tpl", *_CHANNELS)


class RedisSettlement:
    """Reads records. Changes nothing, and costs intake and delivery nothing: there is no index of days.

    What is there from the beginning of the pass to its end is found at least once; Redis may give a key twice, as it
    makes its table larger or smaller meanwhile.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys

    async def taken(self, span: Span) -> AsyncIterator[Taken]:
        """Yield what was taken in the span, of one appId or all; raise LedgerUnavailableError."""
        arguments: list[str | int] = [span.start, span.end, span.app_id or "", *_FIELDS]

        def call(_: bytes, records: Sequence[bytes]) -> Call:
            return Call(_READ, records, arguments)

        cursor = 0
        while True:
            with redis_answers():
                cursor, found = await self._redis.scan(cursor, match=self._keys.any_message(), count=_SCAN)
            records = [raw(key) for key in found]
            rows = await run_each(self._redis, records, [self._keys.slot_of_message(one) for one in records], call)
            yield Taken(
                len(records),
                tuple(_message(record, row) for record, row in zip(records, rows, strict=True) if row is not None),
            )
            if not cursor:
                return


def _message(record: bytes, row: Sequence[bytes | None]) -> TakenMessage:
    request_id, app_id, taken, expires, dead, attempts, lane, template, *channels = [
        "" if value is None else value.decode() for value in row
    ]
    version, language, code, _ = read_template(template)
    return TakenMessage(
        message_id=record.rpartition(b":")[2].decode(),
        request_id=request_id,
        app_id=app_id,
        taken_at=int(taken),
        expires_at=int(expires),
        deliveries=tuple(delivery(channel, field) for channel, field in zip(_CHANNELS, channels, strict=True) if field),
        dead_cause=dead,
        attempts=int(attempts or 0),
        lane=Lane(lane),
        template_code=code,
        template_version=version,
        language=language,
    )
