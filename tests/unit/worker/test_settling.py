import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from tests.back_office import a_moment, notices, until
from tests.fakes.ledger import FakeLedger
from tests.samples import INBOX, PUSH
from worker.contract.answers import Answer, AnswerKind
from worker.contract.errors import LedgerFaultError
from worker.contract.messages import DeadCause, Lane, Settled, Settlement
from worker.contract.outcomes import MessageOutcome
from worker.holding import Held
from worker.retry import RetryPolicy
from worker.settling import Settler

DELIVERED = {PUSH: Answer(AnswerKind.DELIVERED), INBOX: Answer(AnswerKind.DELIVERED)}
RETRYABLE = {PUSH: Answer(AnswerKind.DELIVERED), INBOX: Answer(AnswerKind.RETRYABLE, "BUSY", "later")}


class NotingLedger(FakeLedger):
    """Notes the size of each settlement, and lets one wait for the test."""

    def __init__(self) -> None:
        super().__init__(shards=1)
        self.sizes: list[int] = []
        self.answers = asyncio.Event()
        self.answers.set()

    @override
    async def settle(self, settlements: Sequence[Settlement]) -> list[Settled]:
        self.sizes.append(len(settlements))
        await self.answers.wait()
        return await super().settle(settlements)


class Stand:
    """A settler with messages in hand."""

    def __init__(self) -> None:
        self.ledger = NotingLedger()
        self.settler = Settler(self.ledger, RetryPolicy(), lambda: 0.5, "w1")
        self.settled: list[list[Held]] = []
        self.settler.wire(self.settled.append)

    async def claim(self, number: int) -> list[Held]:
        messages = notices(number)
        await self.ledger.accept("shop", Lane.BULK, messages)
        claims = await self.ledger.claim(0, [message.message_id for message in messages], "c1")
        return [Held(claim, Lane.BULK, 0, 6.0, 16.0) for claim in claims]

    def outcome(self, held: Held) -> MessageOutcome:
        return self.ledger.records[held.claim.message_id].outcome()


def run(play: Callable[[Stand], Awaitable[None]]) -> None:
    async def main() -> None:
        stand = Stand()
        service = asyncio.create_task(stand.settler.run())
        await play(stand)
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)

    asyncio.run(main())


def test_an_answered_message_is_settled_at_once_by_what_its_gateways_said() -> None:
    async def play(stand: Stand) -> None:
        delivered, retried = await stand.claim(2)
        delivered.answers, retried.answers = dict(DELIVERED), dict(RETRYABLE)
        stand.settler.put(delivered)
        stand.settler.put(retried)
        await a_moment()
        assert stand.settled == [[delivered, retried]]
        assert stand.outcome(delivered).settled_at is not None
        assert stand.outcome(retried).next_at == stand.ledger.now + 250
        assert stand.outcome(retried).timeline[0].results == ("PUSH=S:", "INBOX=O:BUSY")
        assert stand.outcome(retried).timeline[0].worker == "w1"

    run(play)


def test_what_is_not_final_yet_tells_which_gateway_was_asked() -> None:
    async def play(stand: Stand) -> None:
        (held,) = await stand.claim(1)
        held.answers, held.gateways = dict(RETRYABLE), {PUSH: "push-gate", INBOX: "inbox-gate"}
        stand.settler.put(held)
        await a_moment()
        gateways = stand.ledger.records[held.claim.message_id].gateways
        assert gateways == {PUSH: "push-gate", INBOX: "inbox-gate"}

    run(play)


def test_a_final_message_needs_no_gateway_any_more() -> None:
    async def play(stand: Stand) -> None:
        (held,) = await stand.claim(1)
        held.answers, held.gateways = dict(DELIVERED), {PUSH: "push-gate", INBOX: "inbox-gate"}
        stand.settler.put(held)
        await a_moment()
        assert stand.ledger.records[held.claim.message_id].gateways == {}

    run(play)


def test_R43_a_message_claimed_past_its_deadline_expires() -> None:
    async def play(stand: Stand) -> None:
        (held,) = await stand.claim(1)
        held.claim = replace(held.claim, claimed_at=held.claim.expires_at)
        stand.settler.put(held)
        await a_moment()
        assert stand.outcome(held).dead_cause == DeadCause.EXPIRED

    run(play)


def test_what_gathers_while_one_settlement_is_under_way_is_settled_together() -> None:
    async def play(stand: Stand) -> None:
        stand.ledger.answers.clear()
        held = await stand.claim(7)
        for one in held:
            one.answers = dict(DELIVERED)
            stand.settler.put(one)
            await a_moment()
        assert stand.settled == []
        stand.ledger.answers.set()
        await until(lambda: len(stand.settled) == 2)
        assert stand.ledger.sizes == [1, 6]
        assert stand.settled == [held[:1], held[1:]]

    run(play)


def test_settlements_are_kept_while_the_ledger_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.settling._PATIENCE", 0.001)

    async def play(stand: Stand) -> None:
        first, second = await stand.claim(2)
        first.answers, second.answers = dict(DELIVERED), dict(DELIVERED)
        stand.ledger.away = True
        stand.settler.put(first)
        await until(lambda: len(stand.ledger.sizes) >= 3)
        stand.settler.put(second)
        assert stand.settled == []
        stand.ledger.away = False
        await until(lambda: len(stand.settled) == 2)
        assert stand.settled == [[first], [second]]
        assert stand.outcome(first).settled_at is not None
        assert stand.outcome(second).settled_at is not None

    with capture_logs() as logs:
        run(play)

    waits = [entry for entry in logs if entry["event"] == "settle_waits_for_ledger"]
    assert len(waits) >= 3
    assert waits[0]["messages"] == 1


def test_a_settlement_that_another_claim_overtook_leaves_our_hands_and_is_told() -> None:
    async def play(stand: Stand) -> None:
        ours, theirs = await stand.claim(2)
        ours.answers, theirs.answers = dict(DELIVERED), dict(DELIVERED)
        stand.ledger.records[theirs.claim.message_id].attempt += 1
        stand.settler.put(ours)
        stand.settler.put(theirs)
        await a_moment()
        assert stand.settled == [[ours, theirs]]
        assert stand.outcome(theirs).settled_at is None

    with capture_logs() as logs:
        run(play)

    assert logs == [{"event": "settlements_were_stale", "messages": 1, "log_level": "warning"}]


def test_one_settlement_that_the_ledger_can_not_take_leaves_all_others_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stand: Stand) -> None:
        held = await stand.claim(5)
        culprit = held[3].claim.message_id
        settle = stand.ledger.settle

        async def failing(settlements: Sequence[Settlement]) -> list[Settled]:
            if any(settlement.message_id == culprit for settlement in settlements):
                raise LedgerFaultError("a script failed in Redis")
            return await settle(settlements)

        monkeypatch.setattr(stand.ledger, "settle", failing)
        with capture_logs() as logs:
            for one in held:
                one.answers = dict(DELIVERED)
                stand.settler.put(one)
            await a_moment()

        assert stand.settled == [held]
        assert [stand.outcome(one).settled_at is None for one in held] == [one is held[3] for one in held]
        assert [entry["message_id"] for entry in logs if entry["event"] == "settlement_refused"] == [culprit]

    run(play)
