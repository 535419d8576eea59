import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from redis.asyncio import Redis

from api_adapter.clients import Clients
from api_adapter.inquiries import Inquiries
from api_adapter.intake import Intake
from api_adapter.limiting import LimitsOf, limited, unlimited
from api_adapter.taking import SendResult
from api_adapter.wiring import make_intake
from tests.fakes.hints import FakeHints
from tests.front_desk import APP, CLIENT, TOKEN, grant, payment_notice, user, wallet
from tests.samples import INBOX, PUSH, send_body
from worker.bootstrap import Addresses, Services, services
from worker.contract.clients import ClientKey, RegisteredClient
from worker.contract.codes import SUCCESS, ResultCode
from worker.contract.identity import message_id
from worker.contract.messages import Lane
from worker.contract.outcomes import Tally
from worker.contract.rates import LimitedBy
from worker.contract.users import SendCap
from worker.settings import Settings

Result = TypeVar("Result")
ID = message_id(APP, "10017019")
HEADERS = {"client-id": CLIENT}
SECRET = "a secret of the tests"


@dataclass(frozen=True, slots=True)
class Desk:
    """One process' view of the platform."""

    services: Services
    intake: Intake
    inquiries: Inquiries
    hints: FakeHints

    async def take(self, *bodies: bytes, lane: Lane = Lane.SINGLE) -> list[SendResult]:
        return await self.intake.take(HEADERS, bodies, lane)


@asynccontextmanager
async def opened(url: str, rate_limits: LimitsOf = unlimited) -> AsyncIterator[Desk]:
    async with services(Settings(redis_url=url, token_secret=SECRET), Addresses(url, url)) as found:
        await found.ledger.open()
        hints, clients = FakeHints(), Clients(found.clients, {})
        intake = make_intake(found, clients, found.users, hints, rate_limits)
        yield Desk(found, intake, Inquiries(clients, found.records), hints)


def at_desk(url: str, story: Callable[[Desk], Awaitable[Result]]) -> Result:
    """Tell a story on a ledger that knows what the samples need."""

    async def tell() -> Result:
        async with opened(url) as desk:
            await desk.services.users.put([(TOKEN, grant())])
            await desk.services.wallets.put(wallet())
            await desk.services.templates.put(payment_notice())
            return await story(desk)

    return asyncio.run(tell())


async def counted(desk: Desk) -> dict[str, Tally]:
    return {channel: tally for (_, channel), tally in (await desk.services.records.tallies()).items()}


ONE = {PUSH: Tally(accepted=1, open=1), INBOX: Tally(accepted=1, open=1)}


def test_R50_a_thousand_single_sends_at_once_are_taken_once_with_one_message_id(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        answers = await asyncio.gather(*(desk.take(send_body()) for _ in range(1000)))

        assert [(answer.result, answer.message_id) for (answer,) in answers] == [(SUCCESS, ID)] * 1000
        assert await counted(desk) == ONE
        assert desk.hints.message_ids == [ID]

    at_desk(redis_url, story)


def test_R50_a_thousand_in_batches_at_once_are_taken_once_each_with_one_message_id(redis_url: str) -> None:
    bodies = [send_body(requestId=f"r{number % 50}") for number in range(1000)]
    ids = [message_id(APP, f"r{number % 50}") for number in range(1000)]

    async def story(desk: Desk) -> None:
        answers = await asyncio.gather(*(desk.take(*bodies, lane=Lane.BULK) for _ in range(5)))

        assert all([answer.message_id for answer in batch] == ids for batch in answers)
        assert {answer.result for batch in answers for answer in batch} == {SUCCESS}
        assert (await counted(desk))[PUSH] == Tally(accepted=50, open=50)
        assert sorted(desk.hints.message_ids) == sorted(set(ids))

    at_desk(redis_url, story)


def test_R50_processes_that_take_the_same_send_at_once_take_it_once(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        async with opened(redis_url) as other, opened(redis_url) as third:
            desks = [desk, other, third] * 50
            answers = await asyncio.gather(*(one.take(send_body()) for one in desks))

            assert {answer.message_id for (answer,) in answers} == {ID}
            assert await counted(desk) == ONE
            assert [*desk.hints.message_ids, *other.hints.message_ids, *third.hints.message_ids] == [ID]

    at_desk(redis_url, story)


def test_R50_a_new_process_knows_what_an_old_one_took(redis_url: str) -> None:
    async def first(desk: Desk) -> list[SendResult]:
        return await desk.take(send_body())

    async def again() -> None:
        async with opened(redis_url) as desk:
            assert await desk.take(send_body()) == taken
            assert await counted(desk) == ONE
            assert desk.hints.published == []

    taken = at_desk(redis_url, first)
    asyncio.run(again())


def test_R41_of_two_contents_at_once_one_is_taken_and_the_other_inconsistent(redis_url: str) -> None:
    contents = [send_body(redirectUrl="/a"), send_body(redirectUrl="/b")] * 100

    async def story(desk: Desk) -> None:
        answers = [answer for (answer,) in await asyncio.gather(*(desk.take(body) for body in contents))]

        codes = [answer.result.code for answer in answers]
        assert sorted([set(codes[::2]).pop(), set(codes[1::2]).pop()]) == ["REPEAT_REQ_INCONSISTENT", "SUCCESS"]
        assert {len(set(codes[::2])), len(set(codes[1::2]))} == {1}
        assert await counted(desk) == ONE

    at_desk(redis_url, story)


def test_R50_a_repeat_is_known_after_its_token_was_revoked(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        taken = await desk.take(send_body())
        await desk.services.users.revoke([desk.services.users.token_id(TOKEN)])

        repeated = await desk.take(send_body(), send_body(redirectUrl="/other"), send_body(requestId="new"))

        assert repeated[:1] == taken
        assert [answer.result.code for answer in repeated[1:]] == [
            ResultCode.REPEAT_REQ_INCONSISTENT,
            ResultCode.INVALID_ACCESS_TOKEN,
        ]

    at_desk(redis_url, story)


def test_R41_another_users_token_is_another_content(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        others = grant(user(customer_id="2088000000000002"))
        await desk.services.users.put([("another", others), ("late", grant(others.user, expires_at=1))])
        await desk.take(send_body())

        answers = await desk.take(send_body(accessToken="another"), send_body(accessToken="late"))

        assert [answer.result.code for answer in answers] == [ResultCode.REPEAT_REQ_INCONSISTENT] * 2

    at_desk(redis_url, story)


def test_R35_a_cap_holds_for_sends_at_once_and_repeats_keep_their_places(redis_url: str) -> None:
    bodies = [send_body(requestId=f"r{number}") for number in range(50)]

    async def story(desk: Desk) -> None:
        await desk.services.wallets.put(wallet(cap=SendCap(3, 60_000)))

        answers = [answer for (answer,) in await asyncio.gather(*(desk.take(body) for body in bodies))]
        again = await desk.take(*bodies)

        codes = [answer.result.code for answer in answers]
        assert codes.count(ResultCode.SUCCESS) == 3
        assert codes.count(ResultCode.MESSAGE_SEND_EXCEED_LIMIT) == 47
        assert [answer.result.code for answer in again] == codes
        assert (await counted(desk))[PUSH] == Tally(accepted=3, open=3)

    at_desk(redis_url, story)


def test_R35_a_repeat_after_the_period_takes_no_place_from_a_new_message(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        await desk.services.wallets.put(wallet(cap=SendCap(1, 200)))

        first = await desk.take(send_body())
        await asyncio.sleep(0.25)
        codes = [answer.result.code for answer in await desk.take(send_body(), send_body(requestId="new"))]

        assert first[0].result == SUCCESS
        assert codes == [ResultCode.SUCCESS, ResultCode.SUCCESS]

    at_desk(redis_url, story)


def test_R2_R64_the_token_is_nowhere_in_the_store(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        await desk.take(
            send_body(), send_body(requestId="r2", templates=[{}]), send_body(requestId="r3", appId="other")
        )

        async with Redis.from_url(redis_url) as redis:
            stored = [key + await redis.dump(key) async for key in redis.scan_iter()]

        assert any(b"2088000000000001" in entry for entry in stored)
        assert not any(TOKEN.encode() in entry for entry in stored)

    at_desk(redis_url, story)


def test_R71_a_message_id_that_is_none_is_unknown(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        for wrong in ("not-hexadecimal", "0x" + ID[2:], ID.upper(), "收" * 32, "0" * 64):
            answer = await desk.inquiries.one(HEADERS, b'{"messageId":"%s"}' % wrong.encode())

            assert answer["result"]["resultCode"] == "MESSAGE_NOT_EXIST"

    at_desk(redis_url, story)


def test_R72_many_look_ups_are_answered_in_order(redis_url: str) -> None:
    async def story(desk: Desk) -> None:
        await desk.take(*(send_body(requestId=f"r{number}") for number in range(0, 2000, 2)), lane=Lane.BULK)
        asked = ",".join(f'"r{number}"' for number in range(2000))

        answer = await desk.inquiries.many(HEADERS, f'{{"appId":"{APP}","requestIds":[{asked}]}}'.encode())

        assert [item["requestId"] for item in answer["items"]] == [f"r{number}" for number in range(2000)]
        assert [item["status"] for item in answer["items"]] == ["U", "NEVER_SEEN"] * 1000

    at_desk(redis_url, story)


def test_R36_processes_share_the_rate_of_a_client(redis_url: str) -> None:
    client = RegisteredClient(CLIENT, frozenset({APP}), (ClientKey(1, ""),), rate=20)

    async def story(desk: Desk) -> None:
        await desk.services.clients.change(CLIENT, lambda _: client)
        async with opened(redis_url, limited({})) as one, opened(redis_url, limited({})) as other:
            begun = desk.services.clock.monotonic()
            answers = await asyncio.gather(
                *(
                    each.intake.take_one(HEADERS, send_body(requestId=f"{name}-{number}"))
                    for number in range(60)
                    for name, each in {"one": one, "other": other}.items()
                )
            )
            passed = desk.services.clock.monotonic() - begun

        codes = [answer.result.code for answer in answers]
        taken = codes.count(ResultCode.SUCCESS)
        assert 20 <= taken <= 20 + 20 * passed + 1
        assert codes.count(ResultCode.REQUEST_TRAFFIC_EXCEED_LIMIT) == 120 - taken
        assert (await counted(desk))[PUSH].accepted == taken
        assert (await desk.services.figures.read()).refused == {(LimitedBy.CLIENT, CLIENT): 120 - taken}

    at_desk(redis_url, story)
