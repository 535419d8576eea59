"""The Lua files: what each says of itself, and that they run on a server that has never heard of them."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from enum import IntEnum
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from tests.ledger_driver import final, ids, new_messages, retry
from tests.ledger_state import state_of_redis
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.adapters.redis.records import RedisRecords
from worker.adapters.redis.scripts import Call, Script, run
from worker.contract.cancellations import Cancelled
from worker.contract.dead_letters import Discarded, Replayed
from worker.contract.errors import LedgerFaultError, LedgerMismatchError, LedgerUnavailableError
from worker.contract.messages import Acceptance, Channel, Hint, Lane, Settled
from worker.contract.outcomes import Tally
from worker.contract.template_history import Published
from worker.ports import Probe

Result = TypeVar("Result")

ADAPTER = resources.files("worker.adapters.redis")
FILES = sorted(ADAPTER.joinpath("lua").iterdir(), key=lambda file: file.name)
SCRIPTS = {file.name.removesuffix(".lua"): file.read_text(encoding="utf-8") for file in FILES}
KEYS = Keys(shards=4)


def header(script: str) -> str:
    """Return the comments at the top of a script, as one text."""
    lines = SCRIPTS[script].splitlines()[1:]
    comments = lines[: next(index for index, line in enumerate(lines) if not line.startswith("--"))]
    return " ".join(" ".join(comment.removeprefix("--").split()) for comment in comments)


def section(script: str, name: str) -> str:
    """Return one section of a header, such as RETURNS."""
    found = re.search(rf"\b{name}\b (.*?)(?= (?:KEYS|ARGV|RETURNS) |$)", header(script))
    assert found is not None, f"{script} has no {name}"
    return found[1]


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_its_purpose_keys_arguments_and_return(script: str) -> None:
    purpose = header(script).partition("KEYS ")[0]
    assert len(purpose) > 20
    assert all(section(script, name) for name in ("KEYS", "ARGV", "RETURNS"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_that_it_writes_nothing_or_that_it_is_safe_to_repeat(script: str) -> None:
    assert SCRIPTS[script].startswith("#!lua")
    reads_only = "no-writes" in SCRIPTS[script].splitlines()[0]
    assert reads_only != ("Safe to repeat:" in header(script))


@pytest.mark.parametrize("script", [name for name, text in SCRIPTS.items() if " FIXED, WIDTH" in text])
def test_a_header_counts_the_arguments_as_the_script_does(script: str) -> None:
    fixed, width = re.findall(r"local FIXED, WIDTH\S* .*?= (\d+), (\d+)", SCRIPTS[script])[0]

    assert re.findall(r"(\d+) [^,0-9]+, then (\d+) for each message", section(script, "ARGV")) == [(fixed, width)]


@pytest.mark.parametrize(
    ("script", "codes", "others"),
    [
        ("accept_messages", Acceptance, {"ABSENT"}),
        ("probe_messages", Acceptance, {"DUE", "BACKLOGGED", "SCHEDULED"}),
        ("settle_messages", Settled, set()),
        ("replay_messages", Replayed, set()),
        ("discard_messages", Discarded, set()),
        ("cancel_messages", Cancelled, set()),
        ("publish_template", Published, set()),
    ],
)
def test_a_header_names_the_codes_that_the_caller_reads(script: str, codes: type[IntEnum], others: set[str]) -> None:
    said = {name: int(number) for number, name in re.findall(r"(\d) ([A-Z]+)", section(script, "RETURNS"))}

    assert said == {code.name: code.value for code in codes if code.name not in others}


def test_the_adapter_runs_each_script_there_is() -> None:
    modules: list[Traversable] = [file for file in ADAPTER.iterdir() if file.name.endswith(".py")]
    read = {
        name
        for module in modules
        for name in re.findall(r'Script\.read\("(\w+)"\)', module.read_text(encoding="utf-8"))
    }

    assert read == SCRIPTS.keys()


def test_a_server_that_forgot_the_scripts_is_told_them_again(redis_url: str) -> None:
    """One call alone, and many in one pipeline, some of whose scripts the server knows."""
    messages = new_messages(12)

    async def story(redis: Redis) -> None:
        ledger = RedisLedger(redis, KEYS)
        await redis.script_flush()
        assert await ledger.accept("shop", Lane.BULK, messages) == [Acceptance.DUE] * 12
        await redis.script_flush()
        assert await ledger.accept("shop", Lane.BULK, messages) == [Acceptance.REPEATED] * 12
        await redis.script_flush()
        assert await ledger.accept("shop", Lane.BULK, messages[:1]) == [Acceptance.REPEATED]
        assert await RedisRecords(redis, KEYS).tallies() == {("shop", Channel.PUSH): Tally(accepted=12, open=12)}

    on_redis(redis_url, story)


def test_a_pipeline_whose_scripts_are_half_known_gives_every_result_in_order(redis_url: str) -> None:
    known, unknown = Script.read("probe_messages"), Script.read("lookup_messages")
    message = new_messages(1)[0]

    async def story(redis: Redis) -> None:
        await RedisLedger(redis, KEYS).accept("shop", Lane.BULK, [message])
        key = KEYS.message(KEYS.shard(message.message_id), message.message_id)
        await redis.script_flush()
        await redis.script_load(known.text)
        shard = KEYS.shard(message.message_id)
        look_up = Call(unknown, [key], ["req", "app"])
        probe = Call(known, [KEYS.staged(shard), key], ["content", "user"])

        assert await run(redis, [probe, look_up, probe, look_up]) == [[3], [[b"r0", b"shop"]]] * 2

    on_redis(redis_url, story)


def test_running_no_script_asks_nobody() -> None:
    nobody = "redis://127.0.0.1:1"

    assert on_redis(nobody, lambda redis: run(redis, [])) == []


def test_in_service_every_script_goes_by_the_time_of_redis(redis_url: str) -> None:
    messages = new_messages(3)
    limits = LedgerLimits(grace=0, longest_grace=0, lease=0, retention=0, window_bulk=2)

    async def story(redis: Redis) -> None:
        ledger, records, keys = RedisLedger(redis, Keys(1), limits), RedisRecords(redis, Keys(1)), Keys(1)
        started = await milliseconds(redis)
        await ledger.accept("shop", Lane.BULK, messages)
        assert len(await ledger.sweep()) == 1
        claims = await ledger.claim(0, ids(messages), "claim-1")
        assert await ledger.renew(claims) == [True, True]
        assert await ledger.settle([final(claims[0]), retry(claims[1], 0)]) == [Settled.DONE] * 2
        assert await ledger.release([(0, Lane.BULK)]) == [Hint(Lane.BULK, 0, (messages[2].message_id,))]
        times = [*(await state_of_redis(redis, keys)).due.values(), claims[0].claimed_at]
        (outcome,) = await records.find(ids(messages[:1]))
        ended = await milliseconds(redis)

        assert outcome is not None
        assert all(started <= time <= ended for time in (*times, outcome.taken_at, outcome.settled_at or 0))
        assert await ledger.forget() == 1

    on_redis(redis_url, story)


async def milliseconds(redis: Redis) -> int:
    seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def test_a_ledger_opens_again_with_the_parameters_it_was_made_with(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        for _ in range(2):
            await RedisLedger(redis, Keys(16)).open()

        assert await redis.hgetall(KEYS.ledger()) == {b"schema": b"5", b"shards": b"16"}

    on_redis(redis_url, story)


def test_a_ledger_made_with_another_number_of_shards_is_refused(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await RedisLedger(redis, Keys(16)).open()

        with pytest.raises(LedgerMismatchError, match="TIDINGS_SHARDS=16"):
            await RedisLedger(redis, Keys(8)).open()
        await RedisLedger(redis, Keys(16)).open()

    on_redis(redis_url, story)


def test_a_ledger_of_another_schema_is_refused(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await redis.hset(KEYS.ledger(), "schema", "0")

        with pytest.raises(LedgerMismatchError, match="let the release that made it deliver what it holds"):
            await RedisLedger(redis, Keys(16)).open()

    on_redis(redis_url, story)


def test_a_key_that_holds_no_record_takes_nothing_with_it_that_its_chunk_claims_or_settles(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        ledger, messages = RedisLedger(redis, Keys(1)), new_messages(3)
        await ledger.accept("shop-4711", Lane.BULK, messages)
        good, other, bad = (message.message_id for message in messages)
        claims = await ledger.claim(0, [good, bad], "claim-1")
        await redis.set(Keys(1).message(0, bad), "no record")
        before = [await redis.hgetall(Keys(1).message(0, one)) for one in (good, other)]

        with pytest.raises(LedgerFaultError):
            await ledger.settle([final(claim) for claim in claims])
        with pytest.raises(LedgerFaultError):
            await ledger.claim(0, [other, bad], "claim-2")

        assert [await redis.hgetall(Keys(1).message(0, one)) for one in (good, other)] == before
        assert await ledger.settle([final(claims[0])]) == [Settled.DONE]
        assert [claim.message_id for claim in await ledger.claim(0, [other], "claim-3")] == [other]

    on_redis(redis_url, story)


def test_a_record_that_was_claimed_and_does_not_say_by_whom_is_claimed_anew(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        ledger, (message,) = RedisLedger(redis, Keys(1)), new_messages(1)
        await ledger.accept("shop-4711", Lane.BULK, [message])
        (lost,) = await ledger.claim(0, [message.message_id], "claim-1")
        await redis.hdel(Keys(1).message(0, message.message_id), "held")

        assert await ledger.settle([final(lost)]) == [Settled.STALE]
        (claim,) = await ledger.claim(0, [message.message_id], "claim-2")

        assert (claim.attempt, claim.crashes) == (2, 0)

    on_redis(redis_url, story)


def test_an_error_of_a_script_makes_the_ledger_unavailable(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        message = new_messages(1)[0]
        await redis.set(KEYS.message(KEYS.shard(message.message_id), message.message_id), "no record")

        with pytest.raises(LedgerUnavailableError):
            await RedisLedger(redis, KEYS).probe([Probe(message.message_id, "content", "user")])

    on_redis(redis_url, story)
