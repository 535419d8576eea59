import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from typing_extensions import override

from tests.fakes.ledger import FakeLedger
from tests.fakes.origins import FakeBatches
from tests.front_desk import APP, SHARDS, TOKEN, FrontDesk, grant, payment_notice, user
from tests.samples import INBOX, PUSH, payload, send_body
from worker.contract.callbacks import NO_OUTCOMES, Outcomes
from worker.contract.codes import SUCCESS, UNKNOWN, ResultCode, ResultStatus
from worker.contract.errors import LedgerUnavailableError
from worker.contract.identity import message_id
from worker.contract.messages import Acceptance, Lane, NewMessage
from worker.contract.origins import NO_BATCH, BatchPart, BatchStart, Origin

ID = message_id(APP, "10017019")


class AnswerLost(FakeLedger):
    """Takes messages and loses the first answer on the way."""

    lost = False

    @override
    async def accept(
        self,
        app_id: str,
        lane: Lane,
        messages: Sequence[NewMessage],
        told: Outcomes = NO_OUTCOMES,
        part: BatchPart = NO_BATCH,
    ) -> list[Acceptance]:
        accepted = await super().accept(app_id, lane, messages, told, part)
        if not self.lost:
            self.lost = True
            raise LedgerUnavailableError("the answer was lost; repeat the send")
        return accepted


class SlowAtFirst(FakeLedger):
    """Takes its first messages after everybody else had many turns."""

    calls = 0

    @override
    async def accept(
        self,
        app_id: str,
        lane: Lane,
        messages: Sequence[NewMessage],
        told: Outcomes = NO_OUTCOMES,
        part: BatchPart = NO_BATCH,
    ) -> list[Acceptance]:
        self.calls += 1
        for _ in range(100 if self.calls == 1 else 0):
            await asyncio.sleep(0)
        return await super().accept(app_id, lane, messages, told, part)


def test_R50_the_same_content_while_the_first_is_in_flight_is_the_same_message() -> None:
    desk = FrontDesk()
    first = desk.send()

    again = desk.send()

    assert again == first
    assert len(desk.taken()) == 1
    assert desk.hints.message_ids == [ID]


def test_R50_the_same_content_after_the_token_expired_is_the_same_message() -> None:
    desk = FrontDesk()
    desk.users.grants[TOKEN] = grant(expires_at=desk.clock.now() + 1000)
    first = desk.send()
    desk.clock.advance(1000)

    assert desk.code(requestId="another") is ResultCode.EXPIRED_ACCESS_TOKEN
    assert desk.send() == first


def test_R50_the_same_content_with_a_renewed_token_is_the_same_message() -> None:
    desk = FrontDesk()
    desk.users.grants["renewed"] = grant()
    first = desk.send()

    assert desk.send(accessToken="renewed") == first


@pytest.mark.parametrize("token", [TOKEN, "another"])
def test_R50_the_same_content_with_a_token_that_no_longer_resolves_is_the_same_message(token: str) -> None:
    desk = FrontDesk()
    first = desk.send()
    desk.users.grants.clear()

    assert desk.code(requestId="new") is ResultCode.INVALID_ACCESS_TOKEN
    assert desk.send(accessToken=token) == first


def test_R41_R50_other_content_with_a_token_that_no_longer_resolves_is_inconsistent() -> None:
    desk = FrontDesk()
    desk.send()
    desk.users.grants.clear()

    assert desk.code(redirectUrl="/other") is ResultCode.REPEAT_REQ_INCONSISTENT


def test_R50_the_same_content_is_the_same_message_whatever_became_of_template_user_and_wallet() -> None:
    desk = FrontDesk()
    first = desk.send()
    answers = []

    desk.templates.versions["PAYMENT_NOTICE", 2] = payment_notice(version=2, links="parameters")
    answers.append(desk.send())
    desk.templates.unreadable.add("PAYMENT_NOTICE")
    answers.append(desk.send())
    desk.templates.unreadable.clear()
    desk.templates.versions.clear()
    answers.append(desk.send())
    desk.templates.versions["PAYMENT_NOTICE", 1] = payment_notice()
    desk.users.grants[TOKEN] = grant(user(opted_out=frozenset({PUSH, INBOX})), scopes=frozenset())
    answers.append(desk.send())
    desk.users.grants[TOKEN] = grant()
    desk.wallets.wallets.clear()
    answers.append(desk.send())

    assert answers == [first] * 5
    assert len(desk.taken()) == 1


OTHER_CONTENTS: list[dict[str, object]] = [
    {"redirectUrl": "/other"},
    {"templates": [{"language": "en-US", "templateParameters": {"who": "Other"}}]},
    {"templateCode": "NONE"},
    {"extendInfo": "{}"},
    {"customerBelongsTo": "GCASH"},
]


@pytest.mark.parametrize("other", OTHER_CONTENTS, ids=lambda other: next(iter(other)))
def test_R41_a_known_request_id_with_another_content_is_inconsistent(other: dict[str, object]) -> None:
    desk = FrontDesk()
    desk.send()

    answer = desk.send(**other)

    assert (answer.result.code, answer.result.status) == (ResultCode.REPEAT_REQ_INCONSISTENT, ResultStatus.F)
    assert answer.result.message.startswith("$.requestId: ")
    assert answer.message_id is None
    assert desk.taken() == [payload()]


@pytest.mark.parametrize(
    "customer",
    [{"customer_id": "2088000000000002"}, {"wallet": "DANA"}],
    ids=["another customer", "another wallet"],
)
@pytest.mark.parametrize(
    "lives", [{}, {"expires_at": 1}, {"scopes": frozenset()}], ids=["valid", "expired", "no scope"]
)
def test_R41_another_users_token_is_another_content(customer: dict[str, str], lives: dict[str, Any]) -> None:
    desk = FrontDesk()
    desk.users.grants["other"] = grant(user(**customer), **lives)
    desk.send()

    assert desk.code(accessToken="other") is ResultCode.REPEAT_REQ_INCONSISTENT


def test_R3_the_same_request_id_of_another_app_is_another_message() -> None:
    desk = FrontDesk()
    desk.users.grants["other"] = grant(app_id="other-app")
    first = desk.send()

    other = desk.send(appId="other-app", accessToken="other")

    assert other.result == SUCCESS
    assert other.message_id != first.message_id
    assert len(desk.taken()) == 2


def test_R51_a_refusal_is_not_remembered() -> None:
    desk = FrontDesk()
    desk.users.grants["late"] = grant(expires_at=1)
    refusals: list[dict[str, object]] = [
        {"redirectUrl": None},
        {"accessToken": "late"},
        {"templateCode": "NONE"},
        {"templates": [{}]},
        {"templates": []},
    ]

    codes = [desk.code(**refused) for refused in refusals]

    assert codes == [
        ResultCode.PARAM_ILLEGAL,
        ResultCode.EXPIRED_ACCESS_TOKEN,
        ResultCode.TEMPLATE_NOT_EXIST,
        ResultCode.PARAM_ILLEGAL,
        ResultCode.PARAM_ILLEGAL,
    ]
    assert desk.ledger.records == {}
    assert desk.send().result == SUCCESS


def test_R52_a_send_whose_answer_was_lost_is_taken_once() -> None:
    desk = FrontDesk(ledger=AnswerLost(shards=SHARDS))

    results = [desk.send().result for _ in range(3)]

    assert results == [UNKNOWN, SUCCESS, SUCCESS]
    assert len(desk.taken()) == 1


def test_R50_the_same_request_id_twice_in_one_batch_is_one_message() -> None:
    desk = FrontDesk()

    answers = desk.take([send_body(), send_body(requestId="between"), send_body()])

    assert [answer.message_id for answer in answers] == [ID, message_id(APP, "between"), ID]
    assert {answer.result for answer in answers} == {SUCCESS}
    assert len(desk.taken()) == 2


def test_R41_the_same_request_id_with_two_contents_in_one_batch_is_taken_with_the_first() -> None:
    desk = FrontDesk()

    answers = desk.take([send_body(redirectUrl="/first"), send_body(redirectUrl="/second")])

    assert [answer.result.code for answer in answers] == [ResultCode.SUCCESS, ResultCode.REPEAT_REQ_INCONSISTENT]
    assert [one.redirect_url for one in desk.taken()] == ["/first"]


@pytest.mark.parametrize("order", [1, -1], ids=["good first", "bad first"])
def test_R50_a_line_that_would_be_refused_is_a_repeat_of_the_same_request_id_in_its_batch(order: int) -> None:
    desk = FrontDesk()
    desk.users.grants["late"] = grant(expires_at=1)

    answers = desk.take([send_body(), send_body(accessToken="late")][::order])

    assert [(answer.result, answer.message_id) for answer in answers] == [(SUCCESS, ID)] * 2
    assert len(desk.taken()) == 1


def test_R41_a_line_that_would_be_refused_is_inconsistent_with_the_same_request_id_in_its_batch() -> None:
    answers = FrontDesk().take([send_body(), send_body(templateCode="NONE")])

    assert [answer.result.code for answer in answers] == [ResultCode.SUCCESS, ResultCode.REPEAT_REQ_INCONSISTENT]


def test_R41_of_two_contents_in_a_long_batch_the_first_is_taken_however_slow_the_ledger_is() -> None:
    desk = FrontDesk(ledger=SlowAtFirst(shards=SHARDS))
    others = [send_body(requestId=f"other-{number}") for number in range(1_200)]

    answers = desk.take([send_body(), *others, send_body(redirectUrl="/another")])

    assert [answers[0].result, answers[-1].result.code] == [SUCCESS, ResultCode.REPEAT_REQ_INCONSISTENT]


def test_R50_a_thousand_at_once_are_one_message() -> None:
    desk = FrontDesk()

    async def all_at_once() -> list[str | None]:
        takes = (desk.intake.take({"client-id": "m"}, [send_body()], Lane.SINGLE) for _ in range(1000))
        return [answer.message_id for (answer,) in await asyncio.gather(*takes)]

    assert asyncio.run(all_at_once()) == [ID] * 1000
    assert len(desk.taken()) == 1
    assert desk.hints.message_ids == [ID]


def test_R31_a_send_that_is_staged_in_a_batch_is_unknown_until_that_is_decided() -> None:
    desk = FrontDesk()
    desk.send()
    (message,) = (record.new for record in desk.ledger.records.values())
    staged = FrontDesk()
    part = BatchPart("b1", BatchStart.STAGED)
    asyncio.run(staged.ledger.accept(APP, Lane.BULK, [message], part=part))

    assert staged.send().result == UNKNOWN
    asyncio.run(FakeBatches(staged.ledger).run(Origin(APP, "b1")))
    assert staged.send().result == SUCCESS
