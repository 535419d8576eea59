"""The ledger in Redis: one Lua script a transition, each for a chunk of messages of one shard (DESIGN 1-9)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis

from worker.adapters.redis.dead_letter_index import index_dead_letters
from worker.adapters.redis.keys import SCHEMA, Keys
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.marshalling import (
    extra_arguments,
    new_message_arguments,
    note_arguments,
    outcomes_text,
    read_claim,
    settlement_arguments,
    sweep_hints,
)
from worker.adapters.redis.releasing import Releases
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, redis_answers, run, run_each
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.adapters.redis.together import Together
from worker.batching import chunks
from worker.contract.callbacks import NO_OUTCOMES, Outcomes
from worker.contract.errors import LedgerMismatchError
from worker.contract.messages import (
    CHUNK,
    LONE_CRASHES,
    Acceptance,
    Claim,
    GatewayNote,
    Hint,
    HintKind,
    Lane,
    NewMessage,
    Settled,
    Settlement,
    Verdict,
)
from worker.contract.origins import NO_BATCH, BatchPart, Origin
from worker.ports import Probe, ShardLane

Item = TypeVar("Item")

_ACCEPT = Script.read("accept_messages")
_PROBE = Script.read("probe_messages")
_CLAIM = Script.read("claim_messages")
_NOTE = Script.read("note_gateways")
_RENEW = Script.read("renew_leases")
_SETTLE = Script.read("settle_messages")
_SWEEP = Script.read("sweep_due")
_FORGET = Script.read("forget_messages")

# Looked up, as calling an enumeration costs each message four times as much.
_ACCEPTANCES = {acceptance.value: acceptance for acceptance in Acceptance}
_SETTLED = {settled.value: settled for settled in Settled}


class RedisLedger:
    """Implements `ports.Ledger`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        limits: LedgerLimits | None = None,
        now: Now = server_time,
    ) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._together = Together(redis)
        self._keys = keys
        self._limits = limits or LedgerLimits()
        self._now = now
        self._releases = Releases(redis, keys, self._limits, now)

    async def open(self) -> None:
        """Fix the ledger's parameters at the first start; raise LedgerMismatchError where they differ later."""
        ours = {"schema": str(SCHEMA), "shards": str(self._keys.shards)}
        with redis_answers():
            theirs = await self._parameters()
            if not theirs.keys() >= ours.keys():  # only then write: a worker may start while Redis is full
                for field, value in ours.items():
                    await self._redis.hsetnx(self._keys.ledger(), field, value)
                theirs = await self._parameters()
        if theirs != ours:
            raise LedgerMismatchError(
                f"this Redis holds a ledger with {theirs}, this release and its settings need {ours}; "
                + _way_out(theirs),
            )

    async def _parameters(self) -> dict[str, str]:
        stored = await self._redis.hgetall(self._keys.ledger())
        return {text(field): text(value) for field, value in stored.items()}

    async def accept(
        self,
        app_id: str,
        lane: Lane,
        messages: Sequence[NewMessage],
        told: Outcomes = NO_OUTCOMES,
        part: BatchPart = NO_BATCH,
    ) -> list[Acceptance]:
        """Take new messages; one Acceptance each, in order. Their merchant is called back for the outcomes `told`."""
        origin = Origin(app_id, part.batch_id)

        def call(shard: int, chunk: Sequence[NewMessage]) -> Call:
            keys = self._keys
            shared = [
                keys.due(shard),
                keys.window(shard),
                keys.backlog(shard, lane, origin),
                keys.backlogs(shard, lane),
                keys.counters(shard),
                keys.waiting(shard),
                keys.stopped(shard, lane),
                keys.paused(shard),
                keys.staged(shard),
                keys.started(shard),
                keys.batches(shard),
                keys.rows(shard),
                keys.scheduled(shard),
                keys.plans(shard),
            ]
            limits = self._limits
            arguments: list[str | bytes | int] = [self._now(), app_id, lane]
            arguments += (limits.grace, limits.window(lane), limits.waiting, outcomes_text(told))
            arguments += (part.batch_id, part.start, limits.staging)
            arguments += new_message_arguments(chunk)
            arguments += extra_arguments(chunk)
            return Call(_ACCEPT, shared + keys.pairs(shard, [message.message_id for message in chunk]), arguments)

        return [_ACCEPTANCES[code] for code in await self._each(messages, [one.message_id for one in messages], call)]

    async def probe(self, probes: Sequence[Probe]) -> list[Acceptance]:
        """Say of each REPEATED, INCONSISTENT or ABSENT, in order."""

        def call(shard: int, chunk: Sequence[Probe]) -> Call:
            records = self._keys.messages(shard, [probe.message_id for probe in chunk])
            return Call(
                _PROBE,
                [self._keys.staged(shard), *records],
                [text for probe in chunk for text in (probe.fingerprint, probe.user)],
            )

        return [_ACCEPTANCES[code] for code in await self._each(probes, [one.message_id for one in probes], call)]

    async def claim(
        self,
        shard: int,
        message_ids: Sequence[str],
        claim_id: str,
        kind: HintKind = HintKind.NORMAL,
    ) -> list[Claim]:
        """Take what is open, due, not leased and of the kind. The same claim_id asked again gets the same answer."""
        calls = []
        named_once = list(dict.fromkeys(message_ids))  # merged hints may name an id twice; it has one holder
        for ids in chunks(named_once, CHUNK):
            keys = [self._keys.due(shard), self._keys.unanswered(shard), *self._keys.pairs(shard, ids)]
            calls.append(Call(_CLAIM, keys, [self._now(), claim_id, self._limits.lease, kind, LONE_CRASHES, *ids]))
        return [read_claim(row, claim_id) for rows in await self._together.run(calls) for row in rows]

    async def renew(self, claims: Sequence[Claim]) -> list[bool]:
        """Extend the leases of claims still held; False where another claim has the message."""

        def call(shard: int, chunk: Sequence[Claim]) -> Call:
            arguments: list[str | bytes | int] = [self._now(), self._limits.lease]
            for claim in chunk:
                arguments += (claim.message_id, claim.claim_id, claim.attempt)
            keys = self._keys.messages(shard, [claim.message_id for claim in chunk])
            return Call(_RENEW, [self._keys.due(shard), *keys], arguments)

        return [bool(code) for code in await self._each(claims, [one.message_id for one in claims], call)]

    async def note_gateways(self, notes: Sequence[GatewayNote]) -> list[bool]:
        """Write down which gateways are about to be asked; False where another claim has the message."""

        def call(shard: int, chunk: Sequence[GatewayNote]) -> Call:
            keys = self._keys.messages(shard, [note.message_id for note in chunk])
            return Call(_NOTE, keys, [part for note in chunk for part in note_arguments(note)])

        return [bool(code) for code in await self._each(notes, [one.message_id for one in notes], call)]

    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        """Record outcomes, each only if its claim still holds the message."""

        def call(shard: int, chunk: Sequence[Settlement]) -> Call:
            keys = self._keys
            shared = [
                keys.due(shard),
                keys.window(shard),
                keys.counters(shard),
                keys.retention(shard),
                keys.dead(shard),
                keys.waiting(shard),
                keys.unanswered(shard),
                keys.unknown(shard),
                keys.outbox(shard),
                keys.batches(shard),
                keys.scheduled(shard),
                keys.plans(shard),
            ]
            arguments: list[str | bytes | int] = [self._now(), self._limits.retention]
            for settlement in chunk:
                arguments += settlement_arguments(settlement)
            return Call(_SETTLE, shared + keys.pairs(shard, [settlement.message_id for settlement in chunk]), arguments)

        codes = [
            _SETTLED[code] for code in await self._each(settlements, [one.message_id for one in settlements], call)
        ]
        dead = [one.message_id for one in settlements if one.verdict is Verdict.DEAD]
        if dead:
            await index_dead_letters(self._redis, self._keys, dead)
        return codes

    async def sweep(self) -> list[Hint]:
        """Re-score overdue messages to a later time and return them as hints; suspects are hinted apart."""
        hints: list[Hint] = []
        for shard, overdue in enumerate(await self._until_now(self._keys.due, self._limits.sweep_size)):
            calls = [self._sweep_call(shard, ids) for ids in chunks(overdue, CHUNK)]
            swept = [row for rows in await run(self._redis, calls) for row in rows]
            hints += sweep_hints(shard, [(text(i), Lane(text(lane)), crashes) for i, lane, crashes in swept])
        return hints

    def _sweep_call(self, shard: int, ids: Sequence[str]) -> Call:
        keys = self._keys
        shared = [keys.due(shard), keys.window(shard), keys.waiting(shard), keys.paused(shard), keys.closed(shard)]
        return Call(
            _SWEEP,
            shared + keys.messages(shard, ids),
            [self._now(), self._limits.grace, self._limits.longest_grace, *ids],
        )

    async def release(self, places: Sequence[ShardLane]) -> list[Hint]:
        """Move messages from the backlogs of places to their due indexes, round robin between a place's origins."""
        return await self._releases.release(places)

    async def backlogged(self) -> list[ShardLane]:
        """Return the places that have a backlog."""
        return await self._releases.backlogged()

    async def forget(self) -> int:
        """Erase messages past their retention, at most a chunk per shard; return how many."""
        calls = []
        for shard, ids in enumerate(await self._until_now(self._keys.retention, CHUNK)):
            if ids:
                calls.append(Call(_FORGET, self._forget_keys(shard, ids), [self._now(), *ids]))
        return sum(await run(self._redis, calls))

    def _forget_keys(self, shard: int, ids: Sequence[str]) -> list[str]:
        keys = self._keys
        found = [keys.retention(shard), keys.counters(shard), keys.uncalled(shard)]
        found += (keys.batches(shard), keys.rows(shard))
        return found + keys.pairs(shard, ids)

    async def _until_now(self, index: Callable[[int], str], most: int) -> list[list[str]]:
        """Return the first ids of an index whose time has come, by shard."""
        now = await ledger_time(self._redis, self._now)
        heads = await self._pipeline(
            lambda pipe, shard: pipe.zrange(index(shard), "-inf", now, byscore=True, offset=0, num=most),
        )
        return [[text(member) for member in head] for head in heads]

    async def _pipeline(self, command: Callable[[Any, int], object]) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for shard in range(self._keys.shards):
            command(pipeline, shard)
        return await execute(pipeline)

    async def _each(
        self, items: Sequence[Item], message_ids: Sequence[str], call: Callable[[int, Sequence[Item]], Call]
    ) -> list[int]:
        keys = self._keys
        return await run_each(self._redis, items, [keys.shard(message_id) for message_id in message_ids], call)


def _way_out(theirs: Mapping[str, str]) -> str:
    if theirs.get("schema") != str(SCHEMA):
        return "let the release that made it deliver what it holds, then use an empty Redis; tokens are put there anew"
    return f"set TIDINGS_SHARDS={theirs.get('shards')} or use another Redis"
