"""Dead letters in Redis: searched by their cards, opened again or let go by scripts."""

from collections.abc import Sequence

from redis.asyncio import Redis

from worker.adapters.redis.dead_letter_cards import bounds, pattern, read_card, texts
from worker.adapters.redis.dead_letter_index import complete_index
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.replies import raw, text
from worker.adapters.redis.scripts import Call, Script, execute, run, run_each
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.contract.dead_letters import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Discarded,
    Position,
    Replayed,
)
from worker.contract.messages import Lane
from worker.contract.origins import Origin
from worker.contract.payload import MaskedPayload, Payload

_SCAN = Script.read("scan_dead_letters")
_FIND = Script.read("find_dead_letters")
_REPLAY = Script.read("replay_messages")
_DISCARD = Script.read("discard_messages")
_CARDS_A_SCAN = 2_000
"""Cards that one run of the script looks at: about a millisecond."""


class RedisDeadLetters:
    """Implements `ports.DeadLetters`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        limits: LedgerLimits | None = None,
        now: Now = server_time,
    ) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._limits = limits or LedgerLimits()
        self._now = now

    async def now(self) -> int:
        """Return the ledger's time."""
        return await ledger_time(self._redis, self._now)

    async def page(self, query: DeadLetterQuery, most: int, after: Position | None = None) -> DeadLetterPage:
        """Return the newest letters that the query finds, older than `after`."""
        await complete_index(self._redis, self._keys)
        found = [read_card(card) for card in await self._newest(query, most + 1, after)]
        return DeadLetterPage(tuple(found[:most]), found[most - 1].position if len(found) > most else None)

    async def _newest(self, query: DeadLetterQuery, most: int, after: Position | None) -> list[str]:
        """Search all shards side by side, and each only as long as it may still have one of the newest."""
        upper, lower = bounds(query, after)
        wanted = [pattern(query), *texts(query)]
        # Without a search a shard's share of the page is enough, most of the time.
        at_once = _CARDS_A_SCAN if any(wanted) else min(_CARDS_A_SCAN, 2 * most // self._keys.shards + 1)
        found: list[str] = []
        places = dict.fromkeys(range(self._keys.shards), upper)
        while places:
            calls = [
                Call(_SCAN, [self._keys.cards(shard)], [place, lower, at_once, most, *wanted])
                for shard, place in places.items()
            ]
            results = await run(self._redis, calls)
            found += [text(card) for cards, _ in results for card in cards]
            found = sorted(found, reverse=True)[:most]
            floor = found[-1] if len(found) == most else ""
            last = {shard: text(card) for shard, (_, card) in zip(places, results, strict=True)}
            places = {shard: f"({card}" for shard, card in last.items() if card > floor}
        return found

    async def find(self, message_ids: Sequence[str]) -> list[DeadLetter | None]:
        """Return each message as a dead letter, None for one that is none, in order."""
        await complete_index(self._redis, self._keys)
        keys = self._keys

        def call(shard: int, ids: Sequence[str]) -> Call:
            return Call(_FIND, [keys.dead(shard), keys.cards(shard)], ids)

        cards = map(text, await run_each(self._redis, message_ids, [keys.shard(one) for one in message_ids], call))
        return [read_card(card) if card else None for card in cards]

    async def contents(self, message_ids: Sequence[str]) -> list[MaskedPayload | None]:
        """Return what may be seen of each payload, None for one that is gone or unreadable, in order."""
        pipeline = self._redis.pipeline(transaction=False)
        for message_id in message_ids:
            pipeline.get(self._keys.payload(self._keys.shard(message_id), message_id))
        return [_masked(packed) for packed in await execute(pipeline)]

    async def replay(self, letters: Sequence[DeadLetter], run: str, deliver_within: int) -> list[Replayed]:
        """Open letters again, each once in a run however often it dies."""
        keys, limits = self._keys, self._limits

        batches = await self._batches(letters)

        def place(letter: DeadLetter) -> tuple[int, Lane, Origin]:
            return keys.shard(letter.message_id), letter.lane, Origin(letter.app_id, batches[letter.message_id])

        def call(place: tuple[int, Lane, Origin], chunk: Sequence[DeadLetter]) -> Call:
            shard, lane, origin = place
            shared = [
                keys.due(shard),
                keys.window(shard),
                keys.backlog(shard, lane, origin),
                keys.backlogs(shard, lane),
                keys.counters(shard),
                keys.retention(shard),
                keys.dead(shard),
                keys.cards(shard),
                keys.waiting(shard),
                keys.unanswered(shard),
                keys.unknown(shard),
                keys.uncalled(shard),
                keys.stopped(shard, lane),
                keys.paused(shard),
                keys.batches(shard),
            ]
            arguments = [self._now(), origin.app_id, lane, limits.window(lane), deliver_within, limits.retention, run]
            ids = _ids(chunk)
            return Call(_REPLAY, shared + keys.pairs(shard, ids), [*arguments, limits.waiting, origin.batch_id, *ids])

        return [
            Replayed(code) for code in await run_each(self._redis, letters, [place(letter) for letter in letters], call)
        ]

    async def _batches(self, letters: Sequence[DeadLetter]) -> dict[str, str]:
        """Return each message's batchId, empty of one that came in none; the script asks once more."""
        pipeline = self._redis.pipeline(transaction=False)
        for message_id in _ids(letters):
            pipeline.hget(self._keys.message(self._keys.shard(message_id), message_id), "batch")
        return dict(zip(_ids(letters), (text(batch or b"") for batch in await execute(pipeline)), strict=True))

    async def discard(self, letters: Sequence[DeadLetter], run: str, reason: str) -> list[Discarded]:
        """Let letters be forgotten after their retention; their outcomes stay."""
        keys = self._keys

        def call(shard: int, chunk: Sequence[DeadLetter]) -> Call:
            shared = [keys.retention(shard), keys.dead(shard), keys.cards(shard), keys.unknown(shard)]
            arguments = [self._now(), self._limits.retention, run, reason]
            ids = _ids(chunk)
            return Call(_DISCARD, shared + keys.pairs(shard, ids), [*arguments, *ids])

        shards = [keys.shard(letter.message_id) for letter in letters]
        codes = await run_each(self._redis, letters, shards, call)
        return [Discarded(code) for code in codes]


def _ids(letters: Sequence[DeadLetter]) -> list[str]:
    return [letter.message_id for letter in letters]


def _masked(packed: bytes | str | None) -> MaskedPayload | None:
    try:
        return None if packed is None else Payload.unpack(raw(packed)).masked()
    except ValueError:
        return None
