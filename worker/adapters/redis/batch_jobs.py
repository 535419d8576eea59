"""Batch jobs in Redis: definitions, parts and rejected rows, all in one slot, beside the messages in the ledger."""

import zlib
from collections.abc import Iterator, Mapping, Sequence

import orjson
from redis.asyncio import Redis

from worker.adapters.redis.job_keys import JOBS_KEY, PROGRESS_KEY, job_key, passed_key, rejected_key
from worker.adapters.redis.keys import JOBS, Keys
from worker.adapters.redis.replies import raw, text
from worker.adapters.redis.scripts import Call, Script, execute, redis_answers, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.contract.batch_jobs import (
    MAX_ROWS,
    BatchJob,
    Begun,
    Change,
    Created,
    Example,
    Extent,
    JobPart,
    JobState,
    Moved,
    PartSummary,
    Rejected,
    Upload,
)
from worker.contract.callbacks import ProgressKey
from worker.contract.origins import Origin
from worker.contract.progress import THRESHOLDS

_CREATE = Script.read("create_job")
_BEGIN = Script.read("begin_part")
_REJECT = Script.read("reject_rows")
_FINISH = Script.read("finish_part")
_MOVE = Script.read("move_job")
_POSTPONE = Script.read("postpone_job")
_TAKE_DUE = Script.read("take_due_jobs")
_FORGET = Script.read("forget_job")

_FAST = 1
"""Level of deflate: rejected rows are much alike."""


class RedisBatchJobs:
    """Implements `ports.BatchJobs`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def create(self, batch: Origin, definition: bytes, look: int) -> Created:
        """Note a definition, unless the batch is there; somebody looks at it after `look` milliseconds."""
        arguments = [self._now(), batch.text, definition, look]
        return Created(await self._run(_CREATE, self._pair(batch), arguments))

    async def find(self, batch: Origin) -> BatchJob | None:
        """Return a job, or None."""
        with redis_answers():
            stored = await self._redis.hgetall(job_key(batch))
        return _job(batch, {text(field): raw(value) for field, value in stored.items()}) if stored else None

    async def states(self, batches: Sequence[Origin]) -> list[JobState | None]:
        """Return the state of each, None for one that is no job."""
        pipeline = self._redis.pipeline(transaction=False)
        for batch in batches:
            pipeline.hget(job_key(batch), "state")
        found = await execute(pipeline) if batches else []
        return [None if state is None else JobState(text(state)) for state in found]

    async def all(self) -> list[Origin]:
        """Return all batches that are jobs, by appId and batchId."""
        with redis_answers():
            found: list[bytes] = await self._redis.zrange(JOBS_KEY, 0, -1)  # type: ignore[assignment]
        return sorted(Origin.read(text(one)) for one in found)

    async def begin(self, upload: Upload, sha256: str, extent: Extent) -> Begun:
        """Let an upload take a part, in place of any earlier one."""
        arguments = (upload.part, sha256, extent.rows, upload.upload_id, MAX_ROWS, extent.last)
        return Begun(await self._run(_BEGIN, self._part_keys(upload), arguments))

    async def reject(self, upload: Upload, chunk: int, rows: Sequence[Rejected]) -> bool:
        """Note rejected rows, the chunks in order from 0; False where another upload takes the part."""
        packed = zlib.compress(orjson.dumps([tuple(row) for row in rows]), _FAST)
        return bool(await self._run(_REJECT, self._part_keys(upload), [upload.part, upload.upload_id, chunk, packed]))

    async def finish(self, upload: Upload, summary: PartSummary) -> bool:
        """Note that a part is done; False where another upload takes it."""
        arguments = [self._now(), upload.part, upload.upload_id, orjson.dumps(_summary_fields(summary))]
        return bool(await self._run(_FINISH, [job_key(upload.batch)], arguments))

    async def rejected(self, batch: Origin, part: int, chunk: int) -> list[Rejected] | None:
        """Return a chunk of a part's rejected rows, from 0, None past the last; the rows are in order."""
        with redis_answers():
            packed = await self._redis.lindex(rejected_key(batch, part), chunk)
        return None if packed is None else [Rejected(*row) for row in orjson.loads(zlib.decompress(raw(packed)))]

    async def move(self, batch: Origin, change: Change, ended: int, look: int) -> Moved:
        """Change the state; if it is not carried out within `look` milliseconds, somebody else does.

        `ended` is how many messages of the batch have their outcome.
        """
        arguments = [self._now(), batch.text, change.state, look, ended, *change.after]
        return Moved(await self._run(_MOVE, [*self._pair(batch), PROGRESS_KEY], arguments))

    async def due(self, most: int) -> list[Origin]:
        """Return the batches at which somebody has to look."""
        now = await ledger_time(self._redis, self._now)
        with redis_answers():
            found: list[bytes] = await self._redis.zrange(  # type: ignore[assignment]
                JOBS_KEY, "-inf", now, byscore=True, offset=0, num=most
            )
        return [Origin.read(text(one)) for one in found]

    async def take_due(self, most: int, lease: int) -> list[Origin]:
        """Return batches at which somebody has to look; nobody else gets them for `lease` milliseconds."""
        call = Call(_TAKE_DUE, [JOBS_KEY], [self._now(), most, lease])
        (found,) = await run(self._redis, [call])
        return [Origin.read(text(one)) for one in found]

    async def postpone(self, job: BatchJob, look: int) -> bool:
        """Note that its state is carried out, and when to look next; False where it was changed since it was read."""
        return bool(await self._postpone(job, look, "done"))

    async def hold(self, job: BatchJob, look: int) -> bool:
        """Keep others from it for `look` milliseconds; False where its state was changed since it was read."""
        return bool(await self._postpone(job, look, ""))

    async def _postpone(self, job: BatchJob, look: int, done: str) -> int:
        arguments = [self._now(), job.origin.text, job.version, look, done]
        return await self._run(_POSTPONE, self._pair(job.origin), arguments)

    async def forget(self, job: BatchJob) -> bool:
        """Erase a job, its rejected rows, and what is told of it; False where it was changed since it was read."""
        keys = [*self._pair(job.origin), PROGRESS_KEY, self._keys.uncalled(JOBS)]
        keys += (passed_key(ProgressKey(*job.origin, percent)) for percent in THRESHOLDS)
        keys += (rejected_key(job.origin, part.number) for part in job.parts)
        return bool(await self._run(_FORGET, keys, [job.origin.text, job.version, *THRESHOLDS]))

    async def _run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> int:
        (code,) = await run(self._redis, [Call(script, keys, arguments)])
        return int(code)

    def _pair(self, batch: Origin) -> list[str]:
        return [JOBS_KEY, job_key(batch)]

    def _part_keys(self, upload: Upload) -> list[str]:
        return [job_key(upload.batch), rejected_key(upload.batch, upload.part)]


def _job(batch: Origin, fields: Mapping[str, bytes]) -> BatchJob:
    return BatchJob(
        origin=batch,
        definition=fields["def"],
        state=JobState(fields["state"].decode()),
        version=int(fields["version"]),
        created_at=int(fields["created"]),
        changed_at=int(fields["changed"]),
        carried_out=fields.get("carried") == fields["version"],
        ended_before=int(fields.get("ended", 0)),
        parts=tuple(sorted(_parts(fields), key=lambda part: part.number)),
        settled_at=int(fields["settled"]) if "settled" in fields else None,
    )


def _parts(fields: Mapping[str, bytes]) -> Iterator[JobPart]:
    for field, value in fields.items():
        if field[0] == "p" and field[1:].isdecimal():
            sha256, rows, last = value.decode().split("|")
            done_at, _, summary = fields.get(f"d{field[1:]}", b"").partition(b"|")
            done = (int(done_at), _summary(summary)) if done_at else (None, PartSummary())
            yield JobPart(int(field[1:]), sha256, Extent(int(rows), int(last)), *done)


def _summary_fields(summary: PartSummary) -> list[object]:
    examples = ({name: tuple(one) for name, one in found.items()} for found in (summary.codes, summary.remarks))
    return [summary.accepted, summary.duplicate, summary.rejected, *examples]


def _summary(packed: bytes) -> PartSummary:
    accepted, duplicate, rejected, codes, remarks = orjson.loads(packed)
    return PartSummary(accepted, duplicate, rejected, _examples(codes), _examples(remarks))


def _examples(packed: Mapping[str, Sequence[object]]) -> dict[str, Example]:
    return {name: Example(*example) for name, example in packed.items()}  # type: ignore[arg-type]
