"""Drafts, publication and rollback in a real Valkey (CONTRACT R60)."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from typing_extensions import override

from tests.integration.test_redis_templates import HandClock, definition, on_redis, templates
from worker.adapters.redis.registry_keys import TEMPLATES_KEY, template_history_key
from worker.adapters.redis.scripts import Call, Script, run
from worker.adapters.redis.template_moves import TemplateMoves
from worker.contract.template_history import (
    TemplateAct,
    TemplateEvent,
    TemplateMove,
    TemplateMoveError,
    TemplateStanding,
)

PUT, PUBLISH, ROLLBACK = TemplateAct


def test_R60_a_draft_is_stored_and_not_live(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition(title="first"))

        draft, move = await store.draft(definition(title="second"))

        assert move == TemplateMove(version=2, former=1, changed=True)
        assert await store.live(["PAY"]) == {"PAY": first}
        assert await store.version("PAY", 2) == draft
        assert await store.standings() == (TemplateStanding("PAY", live=1, newest=2),)

    on_redis(redis_url, story)


def test_R60_a_template_may_begin_as_a_draft(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        await store.draft(definition())

        assert await store.live(["PAY"]) == {}
        assert await store.list() == ()
        assert await store.standings() == (TemplateStanding("PAY", live=0, newest=1),)
        assert await store.publish("PAY", 1) == TemplateMove(1, 0, changed=True)
        assert [version.version for version in await store.list()] == [1]

    on_redis(redis_url, story)


def test_R60_a_draft_put_again_is_the_same_version_and_a_put_of_it_makes_it_live(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        await store.put(definition(title="first"))
        await store.draft(definition(title="second"))

        assert (await store.draft(definition(title="second")))[1] == TemplateMove(2, 1, changed=False)
        assert (await store.put(definition(title="second"))).version == 2
        assert (await store.draft(definition(title="second")))[1] == TemplateMove(2, 2, changed=False)

    on_redis(redis_url, story)


def test_R60_a_put_after_a_rollback_never_writes_over_a_version(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition(title="first"))
        second = await store.put(definition(title="second"))
        await store.roll_back("PAY")

        third = await store.put(definition(title="third"))

        assert third.version == 3
        assert [await templates(redis).version("PAY", number) for number in (1, 2, 3)] == [first, second, third]

    on_redis(redis_url, story)


def test_R60_rollbacks_go_back_one_publication_each(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        for title in ("first", "second", "third"):
            await store.put(definition(title=title))

        assert await store.roll_back("PAY") == TemplateMove(2, 3, changed=True)
        assert await store.roll_back("PAY") == TemplateMove(1, 2, changed=True)
        with pytest.raises(TemplateMoveError, match="no version of PAY was live before"):
            await store.roll_back("PAY")
        assert (await store.live(["PAY"]))["PAY"].version == 1

    on_redis(redis_url, story)


def test_who_moved_what_and_when_is_kept(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        await store.put(definition(title="first"), "ann@desk")
        await store.draft(definition(title="second"), "bob|\x1b[31m" + "b" * 99)
        await store.publish("PAY", 2, "eve")
        await store.roll_back("PAY", "ann@desk")

        events = await store.history("PAY")

        assert [(event.act, event.version, event.former) for event in events] == [
            (ROLLBACK, 1, 2),
            (PUBLISH, 2, 1),
            (PUT, 2, 1),
            (PUBLISH, 1, 0),
            (PUT, 1, 0),
        ]
        assert [event.by for event in events] == ["ann@desk", "eve", "bob|[31m" + "b" * 56, "ann@desk", "ann@desk"]
        now, _ = await redis.time()
        assert all(abs(event.at / 1000 - int(now)) < 60 for event in events)
        assert await store.history("NONE") == ()

    on_redis(redis_url, story)


def test_publishing_what_is_live_changes_nothing_and_leaves_no_event(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        await store.put(definition())
        before = await store.history("PAY")

        assert await store.publish("PAY", 1) == TemplateMove(1, 1, changed=False)
        assert await store.history("PAY") == before

    on_redis(redis_url, story)


@pytest.mark.parametrize(("code", "version"), [("PAY", 2), ("PAY", 0), ("NONE", 1)])
def test_a_version_that_is_not_there_can_not_be_published(redis_url: str, code: str, version: int) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition())

        with pytest.raises(TemplateMoveError, match=f"{code} has no version {version}"):
            await store.publish(code, version)
        assert await store.live(["PAY", "NONE"]) == {"PAY": first}

    on_redis(redis_url, story)


def test_whoever_publishes_or_rolls_back_sees_it_at_once_and_others_within_their_time(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store, other = templates(redis), templates(redis)
        first, second = await store.put(definition(title="first")), await store.put(definition(title="second"))
        assert await other.live(["PAY"]) == {"PAY": second}

        await store.roll_back("PAY")

        assert await store.live(["PAY"]) == {"PAY": first}
        assert await other.live(["PAY"]) == {"PAY": second}
        await store.publish("PAY", 2)
        assert await store.live(["PAY"]) == {"PAY": second}

    on_redis(redis_url, story)


def test_a_draft_is_not_published_and_what_was_live_once_stays_so(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        first = await store.put(definition(title="first"))
        await store.put(definition(title="second"))
        await store.draft(definition(title="third"))

        assert await store.published("PAY", 1) == first
        assert await store.published("PAY", 3) is None
        await store.publish("PAY", 3)
        assert await store.published("PAY", 3) is not None

    on_redis(redis_url, story)


def test_publications_at_once_happen_one_after_the_other_and_the_history_tells_them_all(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        for number in range(1, 11):
            await store.draft(definition(title=f"title {number}"))

        moves = await asyncio.gather(*(store.publish("PAY", number) for number in range(1, 11)))

        published = [event for event in reversed(await store.history("PAY")) if event.act is PUBLISH]
        assert sorted(move.version for move in moves) == list(range(1, 11))
        assert [event.former for event in published] == [0, *(event.version for event in published[:-1])]
        assert (await store.live(["PAY"]))["PAY"].version == published[-1].version

    on_redis(redis_url, story)


class Overtaken(TemplateMoves):
    """Somebody publishes version 1 between its look at the history and its move."""

    @override
    async def history(self, code: str) -> tuple[TemplateEvent, ...]:
        events = await super().history(code)
        await self.publish(code, 1, "somebody")
        return events


def test_a_rollback_that_somebody_overtook_changes_nothing(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        for title in ("first", "second", "third"):
            await store.put(definition(title=title))

        with pytest.raises(TemplateMoveError, match="somebody else made version 1 live meanwhile; nothing was changed"):
            await Overtaken(redis).roll_back("PAY", "ann")

        assert (await templates(redis).live(["PAY"]))["PAY"].version == 1

    on_redis(redis_url, story)


def test_rollbacks_at_once_never_go_anywhere_but_back(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        for number in range(1, 8):
            await store.put(definition(title=f"title {number}"))

        answers = await asyncio.gather(*(store.roll_back("PAY") for _ in range(5)), return_exceptions=True)

        moves = [answer for answer in answers if isinstance(answer, TemplateMove)]
        assert all(move.version == move.former - 1 for move in moves)
        assert (await templates(redis).live(["PAY"]))["PAY"].version == 7 - len(moves)
        assert moves

    on_redis(redis_url, story)


@pytest.mark.parametrize(
    "call",
    [
        lambda id_: ("put_template", ["PAY", b"{}", PUT, id_, "ann"]),
        lambda id_: ("put_template", ["PAY", b"{}", PUBLISH, id_, "ann"]),
        lambda id_: ("publish_template", ["PAY", 1, 2, ROLLBACK, id_, "ann"]),
        lambda id_: ("publish_template", ["PAY", 1, "", PUBLISH, id_, "ann"]),
    ],
    ids=["draft", "put", "rollback", "publish"],
)
def test_a_script_that_runs_twice_under_one_id_does_it_once_whatever_came_between(
    redis_url: str,
    call: Callable[[str], tuple[str, list[str | bytes | int]]],
) -> None:
    async def story(redis: Redis) -> None:
        store = templates(redis)
        for title in ("first", "second"):
            await store.put(definition(title=title))
        name, arguments = call("ab01")
        once = Call(Script.read(name), [TEMPLATES_KEY, template_history_key("PAY")], arguments)
        [answer] = await run(redis, [once])
        await store.put(definition(title="between"))
        left = await redis.hgetall(TEMPLATES_KEY), await store.history("PAY")

        assert await run(redis, [once]) == [answer]
        assert (await redis.hgetall(TEMPLATES_KEY), await store.history("PAY")) == left

    on_redis(redis_url, story)


def test_versions_that_an_older_release_stored_are_counted_on(redis_url: str) -> None:
    """It kept no newest number, and no history."""

    async def story(redis: Redis) -> None:
        store = templates(redis)
        for title in ("first", "second"):
            await store.put(definition(title=title))
        await redis.delete(template_history_key("PAY"))
        await redis.hdel(TEMPLATES_KEY, "PAY#newest", "PAY#1#since", "PAY#2#since")

        assert await store.standings() == (TemplateStanding("PAY", 2, 2),)
        with pytest.raises(TemplateMoveError, match="publish one by its number"):
            await store.roll_back("PAY")
        await store.publish("PAY", 1)
        assert (await store.put(definition(title="third"))).version == 3

    on_redis(redis_url, story)


def test_the_codes_of_live_templates_are_asked_for_again_after_their_time(redis_url: str) -> None:
    async def story(redis: Redis) -> None:
        clock = HandClock()
        reader = templates(redis, clock, live_for=1.0)
        await templates(redis).put(definition("PAY"))
        await templates(redis).draft(definition("DRAFT"))
        assert await reader.codes() == ["PAY"]
        await templates(redis).put(definition("ADVERT"))

        clock.seconds = 0.999
        assert await reader.codes() == ["PAY"]
        clock.seconds = 1.0
        assert await reader.codes() == ["ADVERT", "PAY"]

    on_redis(redis_url, story)
