"""Everything that can be observed of a ledger, in one form for the model and for Redis, so that the two compare."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from tests.fakes.dead_letters import FakeDeadLetters
from tests.fakes.ledger import FakeLedger
from tests.fakes.record import Record
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.records import RedisRecords
from worker.contract.callbacks import OutcomeKey
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery
from worker.contract.messages import Channel, Lane
from worker.contract.origins import BatchTally, Origin
from worker.contract.outcomes import MessageOutcome, Tally

ALL = 100_000
"""More dead letters than any test has."""
Place = tuple[int, Lane, str]
"""Shard, lane and origin."""


@dataclass(frozen=True, slots=True)
class Known:
    """One record: what a look-up answers, and what only the scripts read."""

    outcome: MessageOutcome
    fingerprint: str
    user: str
    claim_id: str
    claimed_at: int
    lease: int
    hints: int
    alone: bool
    lone: int


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A whole ledger; times in milliseconds of its clock."""

    records: Mapping[str, Known]
    payloads: Mapping[str, bytes]
    due: Mapping[str, int]
    scheduled: Mapping[str, int]
    backlogs: Mapping[Place, tuple[str, ...]]
    """In the order of their release."""
    deadlines: Mapping[str, int]
    """Of what is in a backlog."""
    released: Mapping[Place, int]
    stopped: Mapping[Place, int]
    paused: Mapping[tuple[int, str], int]
    """By shard and origin, as the next two."""
    started: Mapping[tuple[int, str], int]
    staged: Mapping[tuple[int, str], int]
    decisions: Mapping[str, str]
    """By origin."""
    batch_tallies: Mapping[tuple[int, str], BatchTally]
    rows: frozenset[tuple[str, int, str]]
    """Origin, row and messageId."""
    window: frozenset[tuple[Lane, str, str]]
    """Lane, appId and messageId of what occupies its merchant's window."""
    waiting: frozenset[tuple[Lane, str, str]]
    """The same of what waits for a retry."""
    unanswered: Mapping[str, int]
    unknown: Mapping[str, int]
    retention: Mapping[str, int]
    dead: Mapping[str, int]
    outbox: Mapping[OutcomeKey, int]
    dead_letters: tuple[DeadLetter, ...]
    """What a search for any finds, the newest first."""
    tallies: Mapping[tuple[str, Channel], Tally]


async def state_of_fake(ledger: FakeLedger) -> LedgerState:
    """Return the state of the model."""
    records = ledger.records
    return LedgerState(
        records={message_id: _known(record) for message_id, record in records.items()},
        payloads={message_id: record.payload for message_id, record in records.items() if record.payload is not None},
        due={message_id: record.due_at for message_id, record in records.items() if record.due_at is not None},
        scheduled={one: r.scheduled_at for one, r in records.items() if r.scheduled_at is not None},
        backlogs={_place(place): tuple(ids) for place, ids in ledger.backlogs.items()},
        deadlines={one: records[one].expires_at for ids in ledger.backlogs.values() for one in ids},
        released={_place(place): served for place, served in ledger.released.items()},
        stopped={_place(place): at for place, at in ledger.stopped.items()},
        paused=_by_text(ledger.paused),
        started=_by_text(ledger.started),
        staged=_by_text(ledger.staged),
        decisions={origin.text: decision.value for origin, decision in ledger.decisions.items()},
        batch_tallies={(shard, origin.text): tally for (shard, origin), tally in ledger.batch_tallies.items()},
        rows=frozenset(
            (r.origin.text, r.new.row, one) for one, r in records.items() if r.origin.batch_id and r.new.row is not None
        ),
        window=frozenset((r.lane, r.app_id, r.new.message_id) for r in records.values() if r.occupies_window),
        waiting=frozenset((r.lane, r.app_id, r.new.message_id) for r in records.values() if r.waits),
        unanswered={one: r.unanswered_since for one, r in records.items() if r.unanswered_since is not None},
        unknown={one: r.unknown_since for one, r in records.items() if r.unknown_since is not None},
        retention={message_id: r.forget_at for message_id, r in records.items() if r.forget_at is not None},
        outbox=dict(ledger.outbox),
        dead_letters=(await FakeDeadLetters(ledger).page(DeadLetterQuery(), ALL)).letters,
        dead={message_id: record.dead_at for message_id, record in records.items() if record.dead_at is not None},
        tallies=await ledger.tallies(),
    )


def _place(place: tuple[int, Lane, Origin]) -> Place:
    shard, lane, origin = place
    return shard, lane, origin.text


def _by_text(times: Mapping[tuple[int, Origin], int]) -> dict[tuple[int, str], int]:
    return {(shard, origin.text): at for (shard, origin), at in times.items()}


def _known(record: Record) -> Known:
    return Known(
        outcome=record.outcome(),
        fingerprint=record.new.fingerprint,
        user=record.new.user,
        claim_id=record.claim_id,
        claimed_at=record.claimed_at,
        lease=record.lease,
        hints=record.hints,
        alone=record.alone,
        lone=record.lone,
    )


async def state_of_redis(redis: Redis, keys: Keys) -> LedgerState:
    """Return the state of a ledger in Redis, read from its keys; a key that no ledger has is an error."""
    contents = await _contents(redis)
    hashes = {name[3]: fields for name, fields in contents.items() if name[2] == "message"}
    outcomes = await RedisRecords(redis, keys).find(list(hashes))
    known = {outcome.message_id: outcome for outcome in outcomes if outcome is not None}
    return LedgerState(
        records={message_id: _stored(known[message_id], fields) for message_id, fields in hashes.items()},
        payloads={name[3]: payload for name, payload in contents.items() if name[2] == "payload"},
        due=_times(contents, "due"),
        scheduled=_scheduled(contents),
        backlogs=_backlogs(contents),
        deadlines=_times(contents, "backlog"),
        released=_listed(contents, "backlogs"),
        stopped=_listed(contents, "stopped"),
        paused=_origins(contents, "paused"),
        started=_origins(contents, "started"),
        staged=_origins(contents, "staged"),
        decisions={name[3]: decision.decode() for name, decision in contents.items() if name[2] == "decision"},
        batch_tallies=_batch_tallies(contents),
        rows=_rows(contents),
        window=_places(contents, "window"),
        waiting=_places(contents, "waiting"),
        unanswered=_times(contents, "unanswered"),
        unknown=_times(contents, "unknown"),
        retention=_times(contents, "retention"),
        dead=_times(contents, "dead"),
        outbox={_callback(member): since for member, since in _times(contents, "outbox").items()},
        dead_letters=(await RedisDeadLetters(redis, keys).page(DeadLetterQuery(), ALL)).letters,
        tallies=_tallies(contents),
    )


_NOT_OF_MESSAGES = {b"token", b"cap"}
_KINDS = {"message", "payload", "counters"} | {
    *("due", "backlogs", "backlog", "window", "waiting", "unanswered", "unknown"),
    *("stopped", "paused", "closed", "started", "staged", "decision", "batches", "rows", "scheduled", "plans"),
    *("retention", "dead", "cards", "outbox", "callbacks", "uncalled", "called"),
}
_Contents = Mapping[tuple[str, ...], Any]


async def _contents(redis: Redis) -> _Contents:
    """Return what each sharded key holds, by the parts of its name: prefix, shard, kind and what follows."""
    keys = [key for key in await redis.keys("tidings:{[0-9]*") if isinstance(key, bytes)]
    names = [key for key in keys if key.split(b":")[2] not in _NOT_OF_MESSAGES]
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        _ask(pipeline, name)
    answers = await pipeline.execute()
    contents = {tuple(name.decode().split(":", 4)): answer for name, answer in zip(names, answers, strict=True)}
    assert {name[2] for name in contents} <= _KINDS
    return contents


def _ask(pipeline: Any, name: bytes) -> None:  # noqa: ANN401 - redis-py's pipelines are untyped
    match name.split(b":")[2]:
        case b"message" | b"counters" | b"called" | b"batches":
            pipeline.hgetall(name)
        case b"payload" | b"decision":
            pipeline.get(name)
        case _:
            pipeline.zrange(name, 0, -1, withscores=True)


def _stored(outcome: MessageOutcome, fields: Mapping[bytes, bytes]) -> Known:
    lease, claimed, claim_id = fields.get(b"held", b"0|0|").split(b"|", 2)
    return Known(
        outcome=outcome,
        fingerprint=fields[b"fp"].decode(),
        user=fields[b"user"].decode(),
        claim_id=claim_id.decode(),
        claimed_at=int(claimed),
        lease=int(lease),
        hints=int(fields.get(b"hints", 0)),
        alone=b"alone" in fields,
        lone=int(fields.get(b"lone", 0)),
    )


def _times(contents: _Contents, kind: str) -> dict[str, int]:
    return {
        member.decode(): int(score) for name, scores in contents.items() if name[2] == kind for member, score in scores
    }


def _callback(member: str) -> OutcomeKey:
    app_id, message_id, finality = member.split("#")
    return OutcomeKey(app_id, message_id, int(finality))


def _scheduled(contents: _Contents) -> dict[str, int]:
    """Return the schedule, whose two indexes must name the same."""
    found, plans = [
        {
            (_shard(name), member): int(at)
            for name, scores in contents.items()
            if name[2] == kind
            for member, at in scores
        }
        for kind in ("scheduled", "plans")
    ]
    assert found.keys() == plans.keys()
    return {member.decode().split("#")[-2]: at for (_, member), at in found.items()}


def _listed(contents: _Contents, kind: str) -> dict[Place, int]:
    return {
        (_shard(name), Lane(name[3]), origin.decode()): int(score)
        for name, scores in contents.items()
        if name[2] == kind
        for origin, score in scores
    }


def _origins(contents: _Contents, kind: str) -> dict[tuple[int, str], int]:
    return {
        (_shard(name), origin.decode()): int(score)
        for name, scores in contents.items()
        if name[2] == kind
        for origin, score in scores
    }


def _shard(name: tuple[str, ...]) -> int:
    return int(name[1].strip("{}"))


def _batch_tallies(contents: _Contents) -> dict[tuple[int, str], BatchTally]:
    totals: dict[tuple[int, str], BatchTally] = defaultdict(BatchTally)
    for name, counters in contents.items():
        for field, number in counters.items() if name[2] == "batches" else ():
            origin, status = field.decode().rsplit("#", 1)
            totals[_shard(name), origin] += BatchTally(**{status: int(number)})
    return dict(totals)


def _rows(contents: _Contents) -> frozenset[tuple[str, int, str]]:
    members = (member.decode() for name, scores in contents.items() if name[2] == "rows" for member, _ in scores)
    parts = (member.rsplit("#", 2) for member in members)
    return frozenset((origin, int(row), message_id) for origin, row, message_id in parts)


def _backlogs(contents: _Contents) -> dict[Place, tuple[str, ...]]:
    return {
        (_shard(name), Lane(name[3]), name[4]): tuple(member.decode() for member, _ in members)
        for name, members in contents.items()
        if name[2] == "backlog"
    }


def _places(contents: _Contents, kind: str) -> frozenset[tuple[Lane, str, str]]:
    members = (member.decode() for name, scores in contents.items() if name[2] == kind for member, _ in scores)
    parts = (member.split("#") for member in members)
    return frozenset((Lane(lane), app, message_id) for lane, app, message_id in parts)


def _tallies(contents: _Contents) -> dict[tuple[str, Channel], Tally]:
    totals: dict[tuple[str, Channel], Tally] = defaultdict(Tally)
    for name, counters in contents.items():
        for field, number in counters.items() if name[2] == "counters" else ():
            app, channel, status = field.decode().split("#")
            totals[app, Channel(channel)] += Tally(**{status: int(number)})
    return {place: tally for place, tally in totals.items() if tally != Tally()}
