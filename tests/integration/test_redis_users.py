"""Access tokens in Redis: what each grants can be told, the tokens themselves cannot (CONTRACT R2, R64)."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any, TypeVar

from redis.asyncio import Redis

from worker.adapters.redis.keys import Keys
from worker.adapters.redis.token_listing import StoredGrant
from worker.adapters.redis.users import RedisUsers
from worker.contract.messages import Channel
from worker.contract.quiet_hours import QuietHours
from worker.contract.users import SEND_SCOPE, TokenGrant, User

Result = TypeVar("Result")

KEYS = Keys(shards=16)
SECRET = b"0123456789abcdef"
USER = User("客户-1", "GCASH", ("zh-Hant", "en"), frozenset({Channel.INBOX}), "Asia/Manila", QuietHours(1320, 420))
GRANT = TokenGrant(USER, "shop", frozenset({SEND_SCOPE, "READ"}), 1_800_000_000_000)
PLAIN = TokenGrant(User("c2", "TNG"), "cafe", frozenset(), None)
TOKENS = [f"access-token-{number}" for number in range(40)]


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


def users(redis: Redis, secret: bytes = SECRET) -> RedisUsers:
    return RedisUsers(redis, KEYS, secret)


async def everything_in(redis: Redis) -> bytes:
    """Return the names and the values of all keys, which are strings."""
    names = [name for name in await redis.keys("*") if isinstance(name, bytes)]
    return b"\n".join([*names, *(value for value in await redis.mget(names) if isinstance(value, bytes))])


def test_R64_tokens_resolve_to_what_was_put_in_the_order_asked(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await users(redis).put([("token-a", GRANT), ("token-b", PLAIN)])

        assert await users(redis).resolve(["token-b", "no token", "token-a", "token-b"]) == [PLAIN, None, GRANT, PLAIN]
        assert await users(redis).resolve([]) == []

    on_redis(redis_url, story)


def test_R64_many_tokens_over_all_shards_resolve_in_one_call(redis_url: str) -> None:
    grants = [TokenGrant(User(f"c{number}", "TNG"), "shop", frozenset(), None) for number in range(40)]

    async def story(redis: Redis) -> None:
        await users(redis).put(list(zip(TOKENS, grants, strict=True)))

        assert await users(redis).resolve(TOKENS) == grants
        assert await users(redis).resolve(TOKENS[::-1]) == grants[::-1]

    on_redis(redis_url, story)


def test_R64_a_grant_is_kept_whatever_of_it_is_known(redis_url: str) -> None:
    known: list[dict[str, Any]] = [
        {},
        {"languages": ("zh-Hant", "en")},
        {"opted_out": frozenset(Channel)},
        {"time_zone": "Asia/Manila"},
        {"quiet_hours": QuietHours(0, 1439)},
    ]
    scopes = [frozenset(), frozenset({SEND_SCOPE}), frozenset({"READ"})]
    grants = [
        TokenGrant(User("c1", "TNG", **fields), "shop", granted, expires_at)
        for fields, granted, expires_at in product(known, scopes, [None, 0])
    ]

    async def story(redis: Redis) -> None:
        await users(redis).put(list(zip(TOKENS, grants, strict=False)))

        assert await users(redis).resolve(TOKENS[: len(grants)]) == grants

    on_redis(redis_url, story)


def test_R64_putting_a_token_again_replaces_what_it_grants(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await users(redis).put([("token-a", GRANT)])
        await users(redis).put([("token-a", PLAIN)])

        assert await users(redis).resolve(["token-a"]) == [PLAIN]

    on_redis(redis_url, story)


def test_R2_R64_no_token_is_stored_anywhere(redis_url: str) -> None:
    async def story(redis: Redis) -> bytes:
        await users(redis).put([(token, GRANT) for token in TOKENS])
        await users(redis).resolve([*TOKENS, "access-token-unknown"])
        return await everything_in(redis)

    stored = on_redis(redis_url, story)

    assert "客户-1".encode() in stored
    assert b"access-token" not in stored


def test_R64_a_token_is_found_only_with_the_secret_it_was_hashed_with(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await users(redis).put([("token-a", GRANT)])
        stranger = users(redis, b"another secret of mine")

        assert await stranger.resolve(["token-a"]) == [None]
        assert stranger.token_id("token-a") != users(redis).token_id("token-a")

    on_redis(redis_url, story)


def test_R37_a_revoked_token_is_unknown_and_revoking_again_finds_nothing(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        known = users(redis)
        await known.put([("token-a", GRANT), ("token-b", PLAIN)])
        revoked = [known.token_id("token-a"), "0" * 32]

        assert await known.revoke(revoked) == 1
        assert await known.revoke(revoked) == 0
        assert await known.resolve(["token-a", "token-b"]) == [None, PLAIN]

    on_redis(redis_url, story)


def test_all_grants_are_listed_under_their_hashes_and_nothing_else_is(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        known = users(redis)
        await redis.set("tidings:{0}:payload:token", "no grant")
        await known.put([(token, GRANT) for token in TOKENS])

        listed = {stored.token_id: stored async for stored in known.all()}

        assert listed == {
            token_id: StoredGrant(token_id, GRANT) for token_id in (known.token_id(token) for token in TOKENS)
        }

    on_redis(redis_url, story)


def test_a_token_revoked_while_they_are_listed_is_left_out(redis_url: str) -> None:
    async def story(redis: Redis) -> list[str]:
        known = users(redis)
        await known.put([("token-a", GRANT), ("token-b", PLAIN)])
        both = {known.token_id("token-a"), known.token_id("token-b")}
        listed = []
        async for stored in known.all():
            listed.append(stored.token_id)
            await known.revoke(list(both - {stored.token_id}))
        return listed

    assert len(on_redis(redis_url, story)) == 1
