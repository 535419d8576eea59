import asyncio

import pytest

from api_adapter.demo import load
from api_adapter.demo.faults import WALLETS
from api_adapter.demo.load import Sent, send_all, send_over_http
from api_adapter.demo.scenario import FEWEST, Via, notices, people
from api_adapter.stack.exchanges import http_client
from api_adapter.stack.samples import templates
from api_adapter.stack.sending import NO_REPLY
from tests.front_desk import FrontDesk, wallet
from worker.contract.identity import message_id
from worker.contract.messages import Lane
from worker.contract.templates import TemplateVersion

PLANNED = notices(FEWEST)
BY_BATCH = [notice for notice in PLANNED if notice.via is Via.BATCH]
NOWHERE = "http://127.0.0.1:1/send"
MOMENT = 0.02


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "_PAUSE", MOMENT)


def desk() -> FrontDesk:
    """A front desk that knows everybody whom the demo writes to."""
    found = FrontDesk()
    found.users.grants |= {person.token: person.grant for person in people(PLANNED)}
    found.wallets.wallets |= {name: wallet(name=name) for name in WALLETS}
    made = [TemplateVersion(version=1, **definition.model_dump()) for definition in templates()]
    found.templates.versions = {(version.code, version.version): version for version in made}
    return found


def sent_by(front: FrontDesk, away: float = 0) -> Sent:
    """What became of the notices by batch, with the token store away for the first seconds."""

    async def main() -> Sent:
        sent = Sent()
        front.users.away = bool(away)
        async with http_client() as client, asyncio.TaskGroup() as group:
            group.create_task(send_all(client, NOWHERE, front.intake, BY_BATCH, sent))
            await asyncio.sleep(away)
            front.users.away = False
        return sent

    return asyncio.run(main())


def test_a_batch_is_taken_in_the_lane_for_batches_with_the_ids_that_can_be_told_before() -> None:
    front = desk()

    sent = sent_by(front)

    assert sent.taken == {Via.HTTP: 0, Via.BATCH: len(BY_BATCH)}
    assert sent.per_second(Via.BATCH) > 0
    assert {request_id: reply.message_id for request_id, reply in sent.replies.items()} == {
        notice.request_id: message_id("demo-app", notice.request_id) for notice in BY_BATCH
    }
    assert {record.lane for record in front.ledger.records.values()} == {Lane.BULK}


def test_a_batch_of_which_nobody_can_say_whether_it_was_taken_is_sent_again() -> None:
    front = desk()

    sent = sent_by(front, away=2.5 * MOMENT)

    assert sent.taken[Via.BATCH] == len(front.ledger.records) == len(BY_BATCH)


def test_a_batch_is_given_up_when_the_store_does_not_come_back() -> None:
    sent = sent_by(desk(), away=50 * MOMENT)

    assert sent.taken[Via.BATCH] == 0
    assert sent.replies == {notice.request_id: NO_REPLY for notice in BY_BATCH}


def test_a_refusal_is_not_repeated() -> None:
    front = desk()
    front.users.grants.clear()

    sent = sent_by(front)

    assert {(reply.status, reply.code) for reply in sent.replies.values()} == {("F", "INVALID_ACCESS_TOKEN")}
    assert front.ledger.records == {}


def test_without_an_api_there_is_no_reply() -> None:
    async def main() -> object:
        async with http_client() as client:
            return await send_over_http(client, NOWHERE, PLANNED[0])

    assert asyncio.run(main()) == NO_REPLY


def test_nothing_sent_is_no_rate() -> None:
    assert Sent().per_second(Via.HTTP) == 0
