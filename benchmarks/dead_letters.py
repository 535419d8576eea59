"""A page of dead letters at 100,000 of them, first, deep and selective; and whether settling pays for their index.

    python benchmarks/dead_letters.py --letters 100000

Fills a Valkey of its own (AOF, as users get it) with dead letters that went through accept, claim and settle, then
times pages as `tidings dlq ls` asks for them, a complete count and a replay. The last figure settles delivered messages
beside dead ones.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from worker.adapters.redis.connection import connect
from worker.adapters.redis.dead_letters import RedisDeadLetters
from worker.adapters.redis.embedded import EmbeddedValkey
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.ledger import RedisLedger
from worker.adapters.redis.limits import LedgerLimits
from worker.contract.dead_letters import DeadLetter, DeadLetterQuery, Position
from worker.contract.identity import message_id
from worker.contract.messages import (
    Channel,
    Claim,
    DeadCause,
    DeliveryState,
    DeliveryUpdate,
    Lane,
    NewMessage,
    Settlement,
    Verdict,
)
from worker.contract.payload import Payload

RESULTS = Path(__file__).parent / "results" / "dead_letters.json"
KEYS = Keys(shards=16)
PAGE = 50
_APPS, _TEMPLATES, _GATEWAYS, _CODES = 50, 20, 3, 8
_CHUNK = 4_000
_DAY = 86_400_000
_PAYLOAD = Payload("2088000000000001", "GCASH", "T0", 1, "en-US", {"who": "a customer"}, "/orders/1", None).pack()


@dataclass(frozen=True)
class Stand:
    """A ledger full of dead letters."""

    redis: Redis
    ledger: RedisLedger
    letters: RedisDeadLetters


def new_message(app: str, index: int) -> NewMessage:
    """Return a message of both channels."""
    request = f"order-{index:08d}"
    return NewMessage(
        message_id=message_id(app, request),
        request_id=request,
        fingerprint="0" * 64,
        user="0" * 32,
        client_id="bench",
        template_code=f"TEMPLATE_{index % _TEMPLATES}",
        template_version=1,
        language="en-US",
        channels=tuple(Channel),
        skipped=(),
        deliver_within=_DAY,
        payload=_PAYLOAD,
    )


def settlement(claim: Claim, dice: random.Random, verdict: Verdict) -> Settlement:
    """Return an end: delivered, or dead with a cause, a code and a gateway of a few."""
    push = DeliveryUpdate(Channel.PUSH, DeliveryState.S)
    inbox = DeliveryUpdate(Channel.INBOX, DeliveryState.S)
    cause = ""
    if verdict is Verdict.DEAD:
        code, gateway = f"CODE_{dice.randrange(_CODES)}", f"gateway-{dice.randrange(_GATEWAYS)}"
        inbox = DeliveryUpdate(Channel.INBOX, DeliveryState.F, code, "gave up after the last try", gateway)
        cause = dice.choice([DeadCause.TRIES, DeadCause.EXPIRED])
    return Settlement(claim.message_id, claim.claim_id, claim.attempt, verdict, (push, inbox), 1, 0, cause, "bench")


async def claimed(stand: Stand, number: int, first: int) -> list[Claim]:
    """Take and claim messages of many merchants."""
    claims: list[Claim] = []
    for app in range(_APPS):
        messages = [new_message(f"app-{app}", first + index) for index in range(app, number, _APPS)]
        await stand.ledger.accept(f"app-{app}", Lane.BULK, messages)
        for shard in range(KEYS.shards):
            ids = [one.message_id for one in messages if KEYS.shard(one.message_id) == shard]
            claims += await stand.ledger.claim(shard, ids, f"claim-{first}")
    return claims


async def settle(stand: Stand, claims: Sequence[Claim], verdict: Verdict) -> float:
    """Settle claims; return microseconds a message."""
    dice = random.Random(len(claims))
    ends = [settlement(claim, dice, verdict) for claim in claims]
    started = time.perf_counter()
    for start in range(0, len(ends), 200):
        await stand.ledger.settle(ends[start : start + 200])
    return (time.perf_counter() - started) / len(ends) * 1e6


async def fill(stand: Stand, number: int) -> None:
    """Let so many messages die."""
    for first in range(0, number, _CHUNK):
        await settle(stand, await claimed(stand, min(_CHUNK, number - first), first), Verdict.DEAD)


async def timed(operation: Callable[[], Awaitable[object]], rounds: int) -> dict[str, float]:
    """Return milliseconds of an operation: median and worst."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        await operation()
        times.append((time.perf_counter() - started) * 1e3)
    return {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)}


async def pages(stand: Stand, number: int, rounds: int) -> dict[str, dict[str, float]]:
    """Time pages of queries that find everything, something, one letter and none."""
    now = await stand.letters.now()
    oldest = (await stand.letters.page(DeadLetterQuery(), number)).letters[-1]
    middle = Position(oldest.died_at + (now - oldest.died_at) // 2, "f" * 32)
    queries: dict[str, tuple[DeadLetterQuery, Position | None]] = {
        "first page": (DeadLetterQuery(), None),
        "page in the middle": (DeadLetterQuery(), middle),
        "app:X": (DeadLetterQuery(app_id="app-7"), None),
        "app:X template:Y code:Z": (DeadLetterQuery("app-7", template_code="TEMPLATE_7", code="CODE_1"), None),
        "channel:INBOX code:Z gateway:G": (
            DeadLetterQuery(channel=Channel.INBOX, code="CODE_1", gateway="gateway-2"),
            None,
        ),
        "request:ID, the oldest letter": (DeadLetterQuery(request_id=oldest.request_id), None),
        "template:Y that none has": (DeadLetterQuery(template_code="TEMPLATE_X"), None),
        "channel:PUSH, which all have with S": (DeadLetterQuery(channel=Channel.PUSH), None),
    }
    measured = {}
    for name, (query, after) in queries.items():
        page = await stand.letters.page(query, PAGE, after)
        measured[name] = await timed(lambda q=query, a=after: stand.letters.page(q, PAGE, a), rounds)  # type: ignore[misc]
        median, worst = measured[name].values()
        print(f"{name:38} {median:7.1f} ms, worst {worst:7.1f}, {len(page.letters)} letters")
    return measured


async def every(stand: Stand) -> list[DeadLetter]:
    """Read all letters as `tidings dlq stats` does."""
    page = await stand.letters.page(DeadLetterQuery(), 2_000)
    found = list(page.letters)
    while page.more_after is not None:
        page = await stand.letters.page(DeadLetterQuery(), 2_000, page.more_after)
        found += page.letters
    return found


async def replay(stand: Stand, letters: Sequence[DeadLetter]) -> float:
    """Replay letters; return messages a second."""
    started = time.perf_counter()
    for start in range(0, len(letters), 1_000):
        await stand.letters.replay(letters[start : start + 1_000], "bench", _DAY)
    return len(letters) / (time.perf_counter() - started)


async def measure(url: str, number: int, rounds: int) -> dict[str, object]:
    """Fill a ledger and time everything."""
    redis = connect(url)
    limits = LedgerLimits(window_bulk=10**6, lease=3_600_000)
    stand = Stand(redis, RedisLedger(redis, KEYS, limits), RedisDeadLetters(redis, KEYS, limits))
    try:
        await stand.ledger.open()
        await fill(stand, number)
        found = await pages(stand, number, rounds)
        cards = sum([await redis.memory_usage(KEYS.cards(shard), samples=0) or 0 for shard in range(KEYS.shards)])
        count = await timed(lambda: every(stand), 3)
        await redis.delete(*(KEYS.cards(shard) for shard in range(KEYS.shards)))
        rebuild = await timed(lambda: stand.letters.page(DeadLetterQuery(), PAGE), 1)
        settled = {
            verdict.value: round(await settle(stand, await claimed(stand, _CHUNK, 10**7 + place * _CHUNK), verdict), 1)
            for place, verdict in enumerate([Verdict.FINAL, Verdict.DEAD])
        }
        rate = await replay(stand, (await every(stand))[: min(20_000, number)])
    finally:
        await redis.aclose()
    print(f"all of them, as stats does: {count['median']:,.0f} ms; cards {cards / number:.0f} bytes a letter")
    print(f"first page of a ledger without cards: {rebuild['median']:,.0f} ms")
    print(f"settle: delivered {settled['final']} us, dead {settled['dead']} us a message; replay {rate:,.0f}/s")
    return {
        "letters": number,
        "page": PAGE,
        "pages_ms": found,
        "all_ms": count,
        "without_cards_ms": rebuild,
        "card_bytes": round(cards / number),
        "settle_us": settled,
        "replay_per_second": round(rate),
    }


def main() -> None:
    """Measure, print, and write benchmarks/results/dead_letters.json."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--letters", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=15)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as directory, EmbeddedValkey(Path(directory)) as valkey:
        found = asyncio.run(measure(valkey.url, given.letters, given.rounds))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    RESULTS.write_text(json.dumps({"machine": machine, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
