import asyncio
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from api_adapter.drill import sabotage
from api_adapter.drill.moments import Moment
from api_adapter.drill.sabotage import Plan, Saboteur
from tests.fakes.clock import FakeClock
from tests.fakes.gateway import DELIVERED, FakeGateway
from tests.fakes.ledger import FakeLedger
from tests.ledger_driver import final, ids, new_messages
from worker.contract.answers import Answer, WalletMessage
from worker.contract.messages import Channel, HintKind, Lane
from worker.contract.users import GatewayRoute
from worker.ports import Gateway

ROUTE = GatewayRoute("gcash", "http://wallet.test")
MESSAGES = new_messages(3)


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def _mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    def kill() -> None:
        raise Killed

    monkeypatch.setattr(sabotage, "kill_this_process", kill)


def deaths(saboteur: Saboteur, moment: Moment, times: int) -> list[int]:
    """Return at which occurrences of a moment the process is killed."""
    found = []
    for number in range(1, times + 1):
        try:
            saboteur.reached(moment)
        except Killed:
            found.append(number)
    return found


def test_without_a_plan_nobody_is_killed() -> None:
    assert [deaths(Saboteur(Plan()), moment, 10) for moment in Moment] == [[]] * len(Moment)


def test_a_process_is_killed_at_the_nth_occurrence_of_the_moment_alone() -> None:
    saboteur = Saboteur(Plan(kill=Moment.MID_SEND, nth=3))

    assert deaths(saboteur, Moment.BEFORE_CLAIM, 5) == []
    assert deaths(saboteur, Moment.MID_SEND, 5) == [3]


def test_with_a_chance_each_occurrence_may_kill_up_to_the_most() -> None:
    saboteur = Saboteur(Plan(kill=Moment.BEFORE_SETTLE, chance=1, most=2))

    assert deaths(saboteur, Moment.BEFORE_SETTLE, 5) == [1, 2]


def test_a_plan_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_SABOTAGE_KILL", "mid-send")
    monkeypatch.setenv("TIDINGS_SABOTAGE_POISON", '["eve"]')
    monkeypatch.setenv("TIDINGS_SABOTAGE_CLOCK_OFFSET", "600000")

    assert Plan() == Plan(kill=Moment.MID_SEND, poison=frozenset({"eve"}), clock_offset=600_000)


def test_an_unknown_moment_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_SABOTAGE_KILL", "sometime")

    with pytest.raises(ValidationError, match="before-claim"):
        Plan()


def test_both_faces_of_the_clock_are_off() -> None:
    right = FakeClock()

    wrong = Saboteur(Plan(clock_offset=-600_000)).clock(right)

    assert (wrong.monotonic(), wrong.now()) == (right.monotonic() - 600, right.now() - 600_000)


def played(moment: Moment) -> FakeLedger:
    """Return the ledger after a claim and a settlement, one of which the process did not survive."""
    fake = FakeLedger(shards=1)
    ledger = Saboteur(Plan(kill=moment)).ledger(fake)

    async def story() -> None:
        await ledger.accept("shop", Lane.BULK, MESSAGES)
        claims = await ledger.claim(0, ids(MESSAGES), "claim-1", HintKind.NORMAL)
        await ledger.settle([final(claim) for claim in claims])

    with pytest.raises(Killed):
        asyncio.run(story())
    return fake


@pytest.mark.parametrize(
    ("moment", "attempts"), [(Moment.BEFORE_CLAIM, 0), (Moment.AFTER_CLAIM, 1), (Moment.BEFORE_SETTLE, 1)]
)
def test_a_killed_process_leaves_the_ledger_as_it_was_at_that_moment(moment: Moment, attempts: int) -> None:
    records = played(moment).records.values()

    assert {(record.attempt, record.lease > 0) for record in records} == {(attempts, attempts > 0)}
    assert {record.outcome().settled_at for record in records} == {None}


def test_a_claim_that_takes_nothing_is_no_moment_after_a_claim() -> None:
    ledger = Saboteur(Plan(kill=Moment.AFTER_CLAIM)).ledger(FakeLedger(shards=1))

    assert asyncio.run(ledger.claim(0, ids(MESSAGES), "claim-1", HintKind.NORMAL)) == []


def send(plan: Plan, gateway: FakeGateway, *customers: str) -> list[Answer]:
    messages = [WalletMessage(one, one, Channel.PUSH, "TP_1", "{}", "/", "TP_1") for one in customers]
    return asyncio.run(_send(Saboteur(plan).gateway(gateway), messages))


async def _send(gateway: Gateway, messages: Sequence[WalletMessage]) -> list[Answer]:
    return await gateway.send(ROUTE, messages)


def test_a_process_killed_in_the_middle_of_a_call_has_sent_it() -> None:
    gateway = FakeGateway()

    with pytest.raises(Killed):
        send(Plan(kill=Moment.MID_SEND), gateway, "ann")

    assert len(gateway.calls) == 1


def test_poison_kills_before_its_call_is_sent_every_time() -> None:
    gateway, plan = FakeGateway(), Plan(poison=frozenset({"eve"}))

    for _ in range(2):
        with pytest.raises(Killed):
            send(plan, gateway, "ann", "eve")

    assert gateway.calls == []


def test_a_call_without_poison_is_answered() -> None:
    assert send(Plan(poison=frozenset({"eve"})), FakeGateway(), "ann") == [DELIVERED]
