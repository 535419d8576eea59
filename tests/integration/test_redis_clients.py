"""Registered clients in Redis (CONTRACT R20, R27)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

import pytest
from redis.asyncio import Redis

from tests.fakes.clock import FakeClock
from tests.servers import valkey
from worker.adapters.redis.clients import RedisClients
from worker.adapters.redis.connection import connect
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.errors import LedgerUnavailableError, TidingsError

Result = TypeVar("Result")

SHOP = RegisteredClient(
    "shop#1",
    frozenset({"a", "b"}),
    (ClientKey(1, "older", 5), ClientKey(2, "newer")),
    rate=100,
    networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8::1/128")),
)
CAFE = RegisteredClient("cafe", frozenset(), (ClientKey(1, "one"),))


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        redis = connect(url)
        try:
            return await story(redis)
        finally:
            await redis.aclose()

    return asyncio.run(tell())


def becomes(client: RegisteredClient) -> Callable[[RegisteredClient | None], RegisteredClient]:
    return lambda _: client


def test_R20_every_client_is_known_by_its_name_with_all_that_it_may(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clients = RedisClients(redis, FakeClock())
        assert await clients.all() == {}
        for client in (SHOP, CAFE):
            assert await clients.change(client.client_id, becomes(client)) == client

        assert await clients.all() == {"shop#1": SHOP, "cafe": CAFE}

    on_redis(redis_url, story)


def test_another_process_sees_a_new_client_after_a_second(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clock = FakeClock()
        elsewhere = RedisClients(redis, clock)
        seen = [await elsewhere.all()]
        await RedisClients(redis, FakeClock()).change("cafe", becomes(CAFE))
        for milliseconds in (1_000, 1):
            clock.advance(milliseconds)
            seen.append(await elsewhere.all())

        assert seen == [{}, {}, {"cafe": CAFE}]

    on_redis(redis_url, story)


def test_R27_of_many_rotations_at_once_none_is_lost(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clients = RedisClients(redis, FakeClock())
        await clients.change("cafe", becomes(CAFE))

        def rotated(pem: str) -> Callable[[RegisteredClient | None], RegisteredClient]:
            def change(known: RegisteredClient | None) -> RegisteredClient:
                assert known is not None
                return known.rotated(pem, 0, 1_000, None)

            return change

        await asyncio.gather(*(clients.change("cafe", rotated(f"key {number}")) for number in range(8)))

        keys = (await clients.all())["cafe"].keys
        assert [key.version for key in keys] == list(range(1, 10))
        assert {key.pem for key in keys} == {"one", *(f"key {number}" for number in range(8))}

    on_redis(redis_url, story)


def test_a_change_that_is_refused_stores_nothing(redis_url: str) -> None:
    def refuse(_: RegisteredClient | None) -> RegisteredClient:
        raise TidingsError("no")

    async def story(redis: Redis) -> None:
        clients = RedisClients(redis, FakeClock())
        await clients.change("cafe", becomes(CAFE))
        with pytest.raises(TidingsError, match="no"):
            await clients.change("cafe", refuse)
        await clients.change("shop#1", becomes(replace(SHOP, networks=())))

        assert (await clients.all())["cafe"] == CAFE

    on_redis(redis_url, story)


def test_a_registry_that_is_away_is_unavailable() -> None:
    async def story(redis: Redis) -> None:
        clients = RedisClients(redis, FakeClock())
        with pytest.raises(LedgerUnavailableError):
            await clients.all()
        with pytest.raises(LedgerUnavailableError):
            await clients.change("cafe", becomes(CAFE))

    on_redis("redis://127.0.0.1:1/0", story)


def test_while_redis_is_away_the_clients_known_last_count_for_a_minute(tmp_path: Path) -> None:
    clock = FakeClock()

    async def story(redis: Redis) -> list[int]:
        clients = RedisClients(redis, clock)
        await clients.change("cafe", becomes(CAFE))
        seen = [len(await clients.all())]
        store.kill()
        for milliseconds in (1_001, 58_999):
            clock.advance(milliseconds)
            seen.append(len(await clients.all()))
        clock.advance(1_001)
        with pytest.raises(LedgerUnavailableError):
            await clients.all()
        return seen

    with valkey(tmp_path / "store") as store:
        store.start()
        assert on_redis(store.url, story) == [1, 1, 1]
