import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from redis.asyncio import Redis

from worker.adapters.redis.registry_keys import TEMPLATES_KEY
from worker.adapters.redis.templates import RedisTemplates
from worker.contract.errors import LedgerMismatchError, LedgerUnavailableError
from worker.contract.templates import TemplateDefinition
from worker.rendering import TemplateSyntaxError

Result = TypeVar("Result")


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> int:
        return int(self.seconds * 1000)


def definition(code: str = "PAY", title: str = "Hello, ${who}", **fields: Any) -> TemplateDefinition:  # noqa: ANN401
    text = {"title": title, "body": "谢谢 🍜 $12.50"}
    whole = {"code": code, "channels": ["PUSH"], "default_language": "en", "contents": {"en": {"PUSH": text}}}
    return TemplateDefinition.model_validate(whole | fields)


def on_redis(url: str, story: Callable[[Redis], Awaitable[Result]]) -> Result:
    async def tell() -> Result:
        async with Redis.from_url(url) as redis:
            return await story(redis)

    return asyncio.run(tell())


def templates(redis: Redis, clock: HandClock | None = None, **options: Any) -> RedisTemplates:  # noqa: ANN401
    return RedisTemplates(redis, clock or HandClock(), **options)


def test_R60_a_put_template_is_live_as_version_1_for_every_process(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        put = await templates(redis).put(definition())

        assert (put.version, put.contents) == (1, definition().contents)
        assert await templates(redis).live(["PAY", "NONE", "PAY"]) == {"PAY": put}

    on_redis(redis_url, story)


def test_R60_another_content_becomes_the_next_version_and_the_old_one_stays(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition(title="first"))
        second = await store.put(definition(title="second"))

        assert (first.version, second.version) == (1, 2)
        assert await templates(redis).live(["PAY"]) == {"PAY": second}
        assert await templates(redis).version("PAY", 1) == first

    on_redis(redis_url, story)


def test_R60_the_same_content_again_changes_nothing(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition())
        before = await redis.hgetall(TEMPLATES_KEY)

        assert await store.put(first) == first
        assert await redis.hgetall(TEMPLATES_KEY) == before

    on_redis(redis_url, story)


def test_R60_the_order_in_which_languages_are_written_does_not_matter(redis_url: str) -> None:
    text = {"PUSH": {"title": "T", "body": "B"}}

    async def story(redis: Redis) -> None:
        await templates(redis).put(definition(contents={"en": text, "ja": text}))

        assert (await templates(redis).put(definition(contents={"ja": text, "en": text}))).version == 1

    on_redis(redis_url, story)


def test_R60_an_old_version_put_again_gets_a_new_number(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition(title="first"))
        await store.put(definition(title="second"))

        third = await store.put(first)

        assert (third.version, third.contents) == (3, first.contents)

    on_redis(redis_url, story)


def test_R61_a_template_that_can_not_be_compiled_is_not_stored(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        with pytest.raises(TemplateSyntaxError, match="never closed"):
            await templates(redis).put(definition(title="Hello, ${who"))

        assert await redis.exists(TEMPLATES_KEY) == 0

    on_redis(redis_url, story)


def test_a_hundred_puts_at_once_make_one_version_each_content(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        put = await asyncio.gather(*(store.put(definition(title="same")) for _ in range(100)))
        different = await asyncio.gather(*(store.put(definition(title=f"title {n}")) for n in range(20)))

        assert {version.version for version in put} == {1}
        assert sorted(version.version for version in different) == list(range(2, 22))
        for version in different:
            assert await templates(redis).version("PAY", version.version) == version

    on_redis(redis_url, story)


def test_a_put_survives_a_server_that_forgot_its_scripts(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        await store.put(definition(title="first"))
        await redis.script_flush()

        assert (await store.put(definition(title="second"))).version == 2

    on_redis(redis_url, story)


def test_a_live_version_is_asked_for_again_after_its_time(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clock = HandClock()
        reader = templates(redis, clock, live_for=1.0)
        first = await templates(redis).put(definition(title="first"))
        assert await reader.live(["PAY"]) == {"PAY": first}
        second = await templates(redis).put(definition(title="second"))

        clock.seconds = 0.999
        assert await reader.live(["PAY"]) == {"PAY": first}
        clock.seconds = 1.0
        assert await reader.live(["PAY"]) == {"PAY": second}

    on_redis(redis_url, story)


def test_who_puts_sees_it_at_once(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        await store.put(definition(title="first"))
        await store.live(["PAY"])

        second = await store.put(definition(title="second"))

        assert await store.live(["PAY"]) == {"PAY": second}

    on_redis(redis_url, story)


def test_a_version_is_read_once_and_kept(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await templates(redis).put(definition())
        reader = templates(redis)
        read = await reader.version("PAY", 1)
        await redis.delete(TEMPLATES_KEY)

        assert await reader.version("PAY", 1) is read

    on_redis(redis_url, story)


def test_no_more_versions_are_kept_than_asked(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await templates(redis).put(definition(title="first"))
        await templates(redis).put(definition(title="second"))
        reader = templates(redis, remembered=1)
        for number in (1, 2):
            await reader.version("PAY", number)
        await redis.delete(TEMPLATES_KEY)

        assert await reader.version("PAY", 1) is None

    on_redis(redis_url, story)


def test_what_is_missing_is_asked_for_every_time(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        reader = templates(redis)
        assert await reader.live(["PAY"]) == {}
        assert await reader.version("PAY", 1) is None

        put = await templates(redis).put(definition())

        assert await reader.live(["PAY"]) == {"PAY": put}
        assert await reader.version("PAY", 1) == put

    on_redis(redis_url, story)


def test_R12_the_field_of_a_version_is_not_taken_for_a_code(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        await templates(redis).put(definition())

        assert await templates(redis).live(["PAY#1"]) == {}

    on_redis(redis_url, story)


def test_the_list_has_the_live_version_of_every_template_by_code(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        assert await store.list() == ()
        ship = await store.put(definition("SHIP"))
        await store.put(definition("PAY", title="first"))
        pay = await store.put(definition("PAY", title="second"))

        assert await store.list() == (pay, ship)

    on_redis(redis_url, story)


@pytest.mark.parametrize("content", ["{", '{"code": "PAY", "of_tomorrow": 1}'])
def test_a_version_of_another_release_is_told(redis_url: str, content: str) -> None:
    async def story(redis: Redis) -> None:
        await redis.hset(TEMPLATES_KEY, mapping={"PAY": 1, "PAY#1": content})

        with pytest.raises(LedgerMismatchError, match=r"template PAY version 1 .* put the template again"):
            await templates(redis).live(["PAY"])

    on_redis(redis_url, story)


def test_without_redis_nobody_can_say() -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        for question in (store.live(["PAY"]), store.version("PAY", 1), store.list(), store.put(definition())):
            with pytest.raises(LedgerUnavailableError):
                await question

    on_redis("redis://127.0.0.1:1/0?socket_connect_timeout=1", story)
