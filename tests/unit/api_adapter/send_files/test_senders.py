"""Ways to have sends taken: what each line's answer is, and what is repeated (CONTRACT R50, R52)."""

import asyncio
import gzip
from collections.abc import Iterator, Sequence

import orjson
import pytest

from api_adapter.client import Patience, RefusedError
from api_adapter.send_files.client_sender import ClientSender
from api_adapter.send_files.senders import UNASKED, IntakeSender, LineResult, Sender, unanswered
from tests.front_desk import APP, CLIENT, FrontDesk
from tests.harmed_api import Harm, HarmedApi, harmed_api
from tests.keys import signer
from tests.samples import send_body
from worker.contract.codes import ResultStatus
from worker.contract.identity import message_id
from worker.contract.messages import Lane


class Desk(FrontDesk):
    """Sends lines; its ledger comes back after a number of pauses."""

    def __init__(self, back_after: int = 0) -> None:
        super().__init__()
        self.back_after = back_after
        self.waits: list[tuple[int, float]] = []
        self.sender = IntakeSender(self.intake, CLIENT, self.wait, pauses=(0.0, 0.0, 0.0))

    def wait(self, unknown: int, pause: float) -> None:
        self.waits.append((unknown, pause))
        if len(self.waits) >= self.back_after:
            self.ledger.away = False

    def send_lines(self, *bodies: bytes) -> list[LineResult]:
        return sent(self.sender, bodies)


def sent(sender: Sender, bodies: Sequence[bytes]) -> list[LineResult]:
    answers = [UNASKED] * len(bodies)
    asyncio.run(sender.send(bodies, answers))
    return answers


def statuses(answers: Sequence[LineResult]) -> str:
    return "".join(answer.status for answer in answers)


def test_each_line_gets_its_result_and_a_bad_one_stops_no_other() -> None:
    desk = Desk()

    first, second, third = desk.send_lines(
        send_body(requestId="a"), b"{", send_body(requestId="b", colour="red", actionUrl="/x")
    )

    assert first == LineResult(ResultStatus.S, "SUCCESS", "success", "a", message_id(APP, "a"))
    assert (second.request_id, second.code) == (None, "PARAM_ILLEGAL")
    assert third.remarks == ("$.actionUrl: is ignored beside redirectUrl; it is no documented field",)
    assert [record.lane for record in desk.ledger.records.values()] == [Lane.BULK] * 2


def test_R52_what_is_unknown_is_repeated_until_it_is_settled() -> None:
    desk = Desk(back_after=2)
    desk.ledger.away = True

    assert statuses(desk.send_lines(send_body(requestId="a"), b"{", send_body(requestId="b"))) == "SFS"
    assert desk.waits == [(2, 0.0), (2, 0.0)]


def test_what_stays_unknown_is_told_as_unknown() -> None:
    desk = Desk(back_after=99)
    desk.ledger.away = True

    answers = desk.send_lines(send_body(requestId="a"), b"{")

    assert statuses(answers) == "UF"
    assert unanswered(answers) == [0]
    assert len(desk.waits) == 3


def test_who_interrupts_is_told_what_was_taken() -> None:
    desk = Desk()
    answers = [UNASKED] * 2

    async def interrupted() -> None:
        sending = asyncio.ensure_future(desk.sender.send([send_body(requestId="a"), b"{"], answers))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    asyncio.run(interrupted())

    assert statuses(answers) == "SF"
    assert list(desk.ledger.records) == [message_id(APP, "a")]


def test_who_interrupts_a_pause_is_told_what_is_unknown() -> None:
    desk = Desk()
    desk.ledger.away = True
    sender = IntakeSender(desk.intake, CLIENT, lambda *_: None, pauses=(60.0,))
    answers = [UNASKED] * 2

    async def interrupted() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sender.send([send_body(requestId="a"), b"{"], answers), 0.05)

    asyncio.run(interrupted())

    assert statuses(answers) == "UF"


@pytest.fixture
def api() -> Iterator[HarmedApi]:
    with harmed_api(FrontDesk()) as served:
        yield served


def over_the_api(api: HarmedApi, bodies: Sequence[bytes], waits: list[tuple[int, float]], **access: object) -> str:
    answers = [UNASKED] * len(bodies)

    async def send() -> None:
        patience = Patience(total=60.0, first=0.001, longest=0.002)
        sender = ClientSender(api.access(**access), lambda *wait: waits.append(wait), patience)
        try:
            await sender.send(bodies, answers)
        finally:
            await sender.close()

    asyncio.run(send())
    return statuses(answers)


def test_over_the_api_each_line_gets_what_the_intake_would_say(api: HarmedApi) -> None:
    bodies = [send_body(requestId=f"r{number}") for number in range(1_200)]
    bodies[700] = b"{"
    waits: list[tuple[int, float]] = []
    api.harms.append(Harm.ANSWER_LOST)

    assert over_the_api(api, bodies, waits) == "S" * 700 + "F" + "S" * 499
    # The calls are under way at once: any of them may come first, and is the one whose answer is lost.
    _, lost = api.seen[0]
    assert [unknown for unknown, _ in waits] == [len(orjson.loads(gzip.decompress(lost))["sends"])]
    assert sorted(len(orjson.loads(gzip.decompress(body))["sends"]) for _, body in set(api.seen)) == [200, 499, 500]
    assert [body for _, body in api.seen].count(lost) == 2
    assert len(api.desk.taken()) == 1_199


def test_over_the_api_what_came_too_fast_is_not_refused_for_good(api: HarmedApi) -> None:
    api.harms.append(Harm.TOO_FAST_FOR_LONG)

    assert over_the_api(api, [send_body(requestId="a"), b"{"], []) == "UF"


def test_over_the_api_remarks_come_too(api: HarmedApi) -> None:
    answers = [UNASKED]

    async def send() -> None:
        sender = ClientSender(api.access(), lambda *_: None)
        await sender.send([send_body(requestId="b", actionUrl="/x")], answers)
        await sender.close()

    asyncio.run(send())

    assert answers[0] == LineResult(
        ResultStatus.S,
        "SUCCESS",
        "success",
        "b",
        message_id(APP, "b"),
        ("$.actionUrl: is ignored beside redirectUrl; it is no documented field",),
    )


def test_over_the_api_what_concerns_the_caller_is_an_error(api: HarmedApi) -> None:
    with pytest.raises(RefusedError, match="INVALID_SIGNATURE"):
        over_the_api(api, [send_body()] * 600, [], signer=signer("stranger"))
