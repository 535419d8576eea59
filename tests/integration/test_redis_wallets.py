"""Wallets and their caps in Redis (CONTRACT R11, R35)."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from tests.fakes.clock import FakeClock
from worker.adapters.redis.keys import Keys
from worker.adapters.redis.scripts import Call, Script, run
from worker.adapters.redis.wallets import RedisCaps, RedisWallets
from worker.contract.messages import Channel
from worker.contract.users import GatewayRoute, SendCap, User, Wallet
from worker.limit_ports import CapRequest, CapUse

Result = TypeVar("Result")

KEYS = Keys(shards=16)
GCASH = Wallet(
    "GCASH",
    (
        GatewayRoute("gcash-push", "http://127.0.0.1:1", frozenset({Channel.PUSH})),
        GatewayRoute("gcash", "http://127.0.0.1:2"),
    ),
    SendCap(5, 86_400_000),
)
TNG = Wallet("TNG", (GatewayRoute("tng", "http://127.0.0.1:3"),))
REQUEST = CapRequest("m1", "shop", User("c1", "GCASH"), SendCap(2, 60_000))


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


def test_R11_every_wallet_is_known_by_its_name_with_its_gateways_in_order(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        wallets = RedisWallets(redis, FakeClock())
        assert await wallets.all() == {}
        await wallets.put(GCASH)
        await wallets.put(TNG)

        assert await wallets.all() == {"GCASH": GCASH, "TNG": TNG}

    on_redis(redis_url, story)


def test_putting_a_wallet_again_replaces_it(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        wallets = RedisWallets(redis, FakeClock())
        await wallets.put(GCASH)
        await wallets.all()
        without_a_cap = dataclasses.replace(GCASH, cap=None)
        await wallets.put(without_a_cap)

        assert await wallets.all() == {"GCASH": without_a_cap}

    on_redis(redis_url, story)


def test_another_process_sees_a_new_wallet_after_a_second(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clock = FakeClock()
        elsewhere = RedisWallets(redis, clock)
        seen = [await elsewhere.all()]
        await RedisWallets(redis, FakeClock()).put(TNG)
        for milliseconds in (1_000, 1):
            clock.advance(milliseconds)
            seen.append(await elsewhere.all())

        assert seen == [{}, {}, {"TNG": TNG}]

    on_redis(redis_url, story)


def of_message(message_id: str) -> CapRequest:
    return dataclasses.replace(REQUEST, message_id=message_id)


def test_R35_the_cap_lets_so_many_messages_through_and_counts_each_once(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        caps = RedisCaps(redis, KEYS)
        requests = [of_message(one) for one in ("m1", "m2", "m1", "m3")]

        for _ in range(2):
            assert await caps.reserve(requests) == [True, True, True, False]
        assert await caps.reserve([]) == []

    on_redis(redis_url, story)


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(REQUEST, message_id="m9", app_id="cafe"),
        dataclasses.replace(REQUEST, message_id="m9", user=User("c2", "GCASH")),
        dataclasses.replace(REQUEST, message_id="m9", user=User("c1", "TNG")),
    ],
    ids=["app", "customer", "wallet"],
)
def test_R35_each_app_customer_and_wallet_is_counted_apart(redis_url: str, other: CapRequest) -> None:
    async def story(redis: Redis) -> None:
        caps = RedisCaps(redis, KEYS)
        await caps.reserve([of_message("m1"), of_message("m2")])

        assert await caps.reserve([of_message("m3"), other]) == [False, True]

    on_redis(redis_url, story)


def test_R35_the_cap_holds_in_any_period_not_in_fixed_ones(redis_url: str) -> None:
    """At most 2 in 100 ms: a place comes free 100 ms after it was taken."""
    reserve = Script.read("reserve_cap")
    asked = [(1_000, "m1"), (1_060, "m2"), (1_099, "m3"), (1_100, "m3"), (1_101, "m4"), (1_159, "m4"), (1_160, "m4")]

    async def story(redis: Redis) -> list[list[int]]:
        calls = [Call(reserve, ["cap"], [now, 2, 100, message_id]) for now, message_id in asked]
        return await run(redis, calls)

    assert [code for (code,) in on_redis(redis_url, story)] == [1, 1, 0, 1, 0, 0, 1]


def test_R35_how_much_of_a_cap_is_used_can_be_asked_without_using_it(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        caps = RedisCaps(redis, KEYS)
        await caps.reserve([of_message("m1")])
        other = dataclasses.replace(REQUEST, app_id="cafe")

        for _ in range(2):
            uses = await caps.uses([of_message("m1"), of_message("m2"), other])
            assert uses == [CapUse(1, counted=True), CapUse(1, counted=False), CapUse(0, counted=False)]
        assert await caps.reserve([of_message("m2"), of_message("m3")]) == [True, False]

    on_redis(redis_url, story)


def test_R35_what_is_asked_of_a_cap_is_what_reserving_would_find(redis_url: str) -> None:
    """At most 2 in 100 ms, of which two places are taken at 1,000 and 1,060."""
    reserve, count = Script.read("reserve_cap"), Script.read("count_cap")

    async def story(redis: Redis) -> list[list[int]]:
        await run(redis, [Call(reserve, ["cap"], [now, 2, 100, id_]) for now, id_ in ((1_000, "m1"), (1_060, "m2"))])
        asked = [(1_099, "m1"), (1_100, "m1"), (1_100, "m2"), (1_159, "m2"), (1_160, "m2")]
        return await run(redis, [Call(count, ["cap"], [now, 100, id_]) for now, id_ in asked])

    assert on_redis(redis_url, story) == [[2, 1], [1, 0], [1, 1], [1, 1], [0, 0]]


def test_R35_what_was_counted_is_gone_after_its_period(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await RedisCaps(redis, KEYS).reserve([REQUEST])

        assert 0 < await redis.pttl(KEYS.cap("shop", REQUEST.user)) <= REQUEST.cap.period

    on_redis(redis_url, story)
