"""Tokens resolved by a server that may be slow, down or wrong (CONTRACT R31, R64)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
import pytest
from structlog.testing import capture_logs

from tests.authorization_server import INACTIVE, active
from tests.fakes.clock import FakeClock
from worker.adapters.introspection import users as module
from worker.adapters.introspection.answers import AnswerReader
from worker.adapters.introspection.cache import CacheLimits
from worker.adapters.introspection.errors import NotIntrospectedError, ServerTroubleError
from worker.adapters.introspection.line import LineLimits
from worker.adapters.introspection.users import IntrospectedUsers, IntrospectionLimits
from worker.breaking import BreakerLimits
from worker.contract.users import TokenGrant, Unresolved

Outcome = TypeVar("Outcome")
CALLS = 4
TIMEOUT = 2_000


class Server:
    """What is asked: every token that begins with `good` is active."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.trouble: NotIntrospectedError | None = None
        self.expires_at: float | None = None
        """Of all tokens, in seconds since 1970."""
        self.over: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, token: str) -> bytes:
        self.asked.append(token)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.trouble is not None:
            raise self.trouble
        if not token.startswith("good") or token in self.over:
            return orjson.dumps(INACTIVE)
        return orjson.dumps(active(sub=token, exp=self.expires_at))


class Stage:
    """A resolver, the server that it asks, and the clock of both."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = Server()
        line = LineLimits(CALLS, TIMEOUT, BreakerLimits(failures=3, first=1_000), breaker_longest=3_000)
        limits = IntrospectionLimits(line, CacheLimits(ttl=60_000, size=1_000))
        self.users = IntrospectedUsers(self.server.ask, AnswerReader(), self.clock, limits)

    async def resolve(self, *tokens: str) -> list[str]:
        """Return the customer of each token; `-` for nobody, `?` where nobody can say."""
        return [_shown(grant) for grant in await self.users.resolve(tokens)]


def _shown(grant: TokenGrant | Unresolved | None) -> str:
    if grant is None:
        return "-"
    return "?" if isinstance(grant, Unresolved) else grant.user.customer_id


def on_stage(story: Callable[[Stage], Awaitable[Outcome]]) -> Outcome:
    async def tell() -> Outcome:
        stage = Stage()
        try:
            return await story(stage)
        finally:
            await stage.users.close()

    return asyncio.run(tell())


async def fail(stage: Stage, times: int, trouble: NotIntrospectedError) -> None:
    stage.server.trouble = trouble
    for number in range(times):
        await stage.resolve(f"good in vain {number}")
    stage.server.trouble = None


def test_R64_tokens_resolve_in_the_order_asked_and_each_is_asked_for_once() -> None:
    async def story(stage: Stage) -> None:
        assert await stage.resolve("good-b", "bad", "good-a", "good-b") == ["good-b", "-", "good-a", "good-b"]
        assert await stage.resolve("good-a", "bad") == ["good-a", "-"]
        assert await stage.resolve() == []
        assert sorted(stage.server.asked) == ["bad", "good-a", "good-b"]

    on_stage(story)


def test_many_tokens_are_asked_for_at_once_and_not_too_many() -> None:
    async def story(stage: Stage) -> None:
        tokens = [f"good-{number}" for number in range(40)]

        assert await stage.resolve(*tokens) == tokens
        assert stage.server.most_at_once == CALLS

    on_stage(story)


def test_callers_who_ask_for_the_same_token_at_once_share_a_call() -> None:
    async def story(stage: Stage) -> None:
        answers = await asyncio.gather(*(stage.resolve("good", f"good-{number}") for number in range(20)))

        assert [answer[0] for answer in answers] == ["good"] * 20
        assert stage.server.asked.count("good") == 1

    on_stage(story)


def test_a_caller_who_gives_up_takes_the_answer_from_nobody() -> None:
    async def story(stage: Stage) -> None:
        stage.server.open.clear()
        hasty, patient = (asyncio.create_task(stage.resolve("good")) for _ in range(2))
        await asyncio.sleep(0.01)
        hasty.cancel()
        stage.server.open.set()

        assert await patient == ["good"]
        assert stage.server.asked == ["good"]

    on_stage(story)


def test_R31_tokens_that_a_slow_server_keeps_waiting_hold_the_others_up_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.01)

    async def story(stage: Stage) -> None:
        await stage.resolve("good-known")
        stage.server.open.clear()

        assert await stage.resolve("good-slow", "good-known") == ["?", "good-known"]
        stage.server.open.set()
        await asyncio.sleep(0.01)
        assert await stage.resolve("good-slow") == ["good-slow"]
        assert stage.server.asked == ["good-known", "good-slow"]

    on_stage(story)


def test_R31_no_more_tokens_wait_than_memory_is_meant_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)

    async def story(stage: Stage) -> None:
        found = await stage.resolve(*(f"good-{number}" for number in range(5)))

        assert found.count("?") == 2
        assert await stage.resolve("good-late") == ["good-late"]

    on_stage(story)


def test_R31_trouble_is_neither_a_grant_nor_a_denial_and_is_not_remembered() -> None:
    async def story(stage: Stage) -> None:
        await fail(stage, 1, ServerTroubleError("it is down"))

        assert await stage.resolve("good in vain 0") == ["good in vain 0"]

    on_stage(story)


def test_after_failures_in_a_row_the_server_is_left_alone_and_known_tokens_still_resolve() -> None:
    async def story(stage: Stage) -> None:
        await stage.resolve("good-known")
        with capture_logs() as logs:
            await fail(stage, 3, ServerTroubleError("it is down"))
        calls = len(stage.server.asked)

        assert await stage.resolve("good-new", "good-known") == ["?", "good-known"]
        assert len(stage.server.asked) == calls
        assert [(line["event"], line["reason"], line["for_ms"]) for line in logs] == [
            ("introspection_breaker_opened", "it is down", 1_000)
        ]

    on_stage(story)


def test_a_failure_between_good_answers_opens_nothing() -> None:
    async def story(stage: Stage) -> None:
        for number in range(5):
            await fail(stage, 2, ServerTroubleError("it is down"))
            assert await stage.resolve(f"good-{number}") == [f"good-{number}"]

    on_stage(story)


def test_one_call_asks_whether_the_server_is_back() -> None:
    async def story(stage: Stage) -> None:
        await fail(stage, 3, ServerTroubleError("it is down"))
        stage.clock.advance(1_000)

        assert (await stage.resolve("good-a", "good-b", "good-c")).count("?") == 2
        assert await stage.resolve("good-a", "good-b", "good-c") == ["good-a", "good-b", "good-c"]

    on_stage(story)


def test_a_server_that_stays_away_is_left_alone_longer_each_time_up_to_a_bound() -> None:
    async def story(stage: Stage) -> list[int]:
        with capture_logs() as logs:
            await fail(stage, 3, ServerTroubleError("it is down"))
            for pause in (1_000, 2_000, 3_000):
                stage.clock.advance(pause)
                await fail(stage, 1, ServerTroubleError("it is down"))
        return [line["for_ms"] for line in logs]

    assert on_stage(story) == [1_000, 2_000, 3_000, 3_000]


def test_a_server_that_asks_to_wait_is_left_alone_so_long() -> None:
    async def story(stage: Stage) -> None:
        await fail(stage, 1, ServerTroubleError("HTTP 503", asked=30_000))

        stage.clock.advance(29_999)
        assert await stage.resolve("good") == ["?"]
        stage.clock.advance(1)
        assert await stage.resolve("good") == ["good"]

    on_stage(story)


def test_no_token_takes_the_server_away_from_the_others() -> None:
    async def story(stage: Stage) -> None:
        await fail(stage, 10, NotIntrospectedError("HTTP 400"))

        assert await stage.resolve("good") == ["good"]

    on_stage(story)


def test_R37_a_token_whose_time_is_over_is_told_apart_from_an_unknown_one() -> None:
    async def story(stage: Stage) -> None:
        stage.server.expires_at = stage.clock.now() / 1000 + 10
        (before,) = await stage.users.resolve(["good"])
        stage.clock.advance(10_000)
        stage.server.over.add("good")

        assert await stage.users.resolve(["good", "bad"]) == [before, None]
        assert isinstance(before, TokenGrant)
        assert before.expires_at == stage.clock.now()

    on_stage(story)
