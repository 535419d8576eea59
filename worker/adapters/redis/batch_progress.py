"""How far batch jobs are, in Redis: whose progress is watched, what was passed, and what is told of that."""

from collections.abc import Sequence

from redis.asyncio import Redis

from worker.adapters.redis.job_keys import PROGRESS_KEY, job_key, passed_key
from worker.adapters.redis.keys import JOBS, Keys
from worker.adapters.redis.replies import text
from worker.adapters.redis.scripts import Call, Script, execute, redis_answers, run
from worker.adapters.redis.times import Now, ledger_time, server_time
from worker.batch_ports import Noted
from worker.contract.batch_jobs import JobState
from worker.contract.callbacks import ProgressKey
from worker.contract.origins import BatchTally, Origin
from worker.contract.progress import Standing

_NOTE = Script.read("note_progress")
_FIELDS = ("state", "version", "rows", "lacking", "created", "changed", "passed")


class RedisBatchProgress:
    """Implements `batch_ports.Progress`. `now` gives the time for tests; in service it is Redis' own."""

    def __init__(self, redis: Redis, keys: Keys, now: Now = server_time) -> None:
        """Keep the connection pool; connects at the first call."""
        self._redis = redis
        self._keys = keys
        self._now = now

    async def due(self, most: int) -> list[Standing]:
        """Return the jobs at whose progress somebody has to look."""
        now = await ledger_time(self._redis, self._now)
        with redis_answers():
            found: list[bytes] = await self._redis.zrange(  # type: ignore[assignment]
                PROGRESS_KEY, "-inf", now, byscore=True, offset=0, num=most
            )
        origins = [Origin.read(text(one)) for one in found]
        pipeline = self._redis.pipeline(transaction=False)
        for origin in origins:
            pipeline.hmget(job_key(origin), _FIELDS)
        rows = await execute(pipeline) if origins else []
        return [_standing(origin, row) for origin, row in zip(origins, rows, strict=True) if row[0] is not None]

    async def note(self, notes: Sequence[Noted]) -> list[bool]:
        """Note what was passed, and put what is told into the outbox; False where the job changed since it was read."""
        return [bool(code) for code in await run(self._redis, [self._call(note) for note in notes])]

    def _call(self, note: Noted) -> Call:
        standing = note.standing
        origin = standing.origin
        record = passed_key(ProgressKey(*origin, note.passed))
        return Call(
            _NOTE,
            [PROGRESS_KEY, job_key(origin), self._keys.outbox(JOBS), record],
            [
                self._now(),
                origin.text,
                standing.version,
                standing.rows,
                standing.passed,
                note.passed,
                note.look,
                "" if note.told is None else _told(standing, note.told),
            ],
        )


def _standing(origin: Origin, row: Sequence[bytes | None]) -> Standing:
    state, *numbers = row
    version, rows, lacking, created_at, changed_at, passed = (int(number or 0) for number in numbers)
    return Standing(origin, JobState(text(state or b"")), version, rows, lacking, created_at, changed_at, passed)


def _told(standing: Standing, tally: BatchTally) -> str:
    numbers = (tally.taken, tally.open, tally.S, tally.F, tally.U, tally.forgotten)
    return "|".join(map(str, (standing.state, standing.created_at, *numbers)))
